#include "tessera/layout/layout.h"

#include <algorithm>
#include <numeric>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/layout/sharding_rule.h"

namespace tessera {
namespace {

size_t index(AxisId axis) {
  return static_cast<size_t>(axis);
}

bool is_axis_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), allowed);
}

void check_ranks(std::span<const Rank> ranks, int64_t places) {
  require(static_cast<int64_t>(ranks.size()) == places, "the mesh has {} places but lists {} ranks",
          places, ranks.size());
  std::vector<Rank> sorted(ranks.begin(), ranks.end());
  std::sort(sorted.begin(), sorted.end());
  require(sorted.front() >= 0, "the mesh lists rank {}; ranks count from 0", sorted.front());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  require(twice == sorted.end(), "the mesh lists rank {} twice",
          twice == sorted.end() ? 0 : *twice);
}

/// Which part of dim `dim` the rank at `place` holds.
int part_at(const Layout& layout, size_t dim, int place) {
  int part = 0;
  for (const AxisId axis : layout.dims[dim])
    part = part * layout.mesh->axes[index(axis)].size + layout.mesh->coordinate_at(place, axis);
  return part;
}

}  // namespace

int Mesh::rank_count() const {
  int count = 1;
  for (const MeshAxis& axis : axes) count *= axis.size;
  return count;
}

std::vector<Rank> Mesh::all_ranks() const {
  if (!ranks.empty()) return ranks;
  std::vector<Rank> all(static_cast<size_t>(rank_count()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<Rank> Mesh::sorted_ranks() const {
  std::vector<Rank> all = all_ranks();
  std::sort(all.begin(), all.end());
  return all;
}

int Mesh::place_of(Rank rank) const {
  const std::optional<int> place = find_place(rank);
  if (!place)
    fail(ErrorCode::kInvalidArgument, "rank {} is not in the mesh {}", rank, to_string(*this));
  return *place;
}

std::optional<int> Mesh::find_place(Rank rank) const {
  // Most lists of ranks are one run upwards, such as those of pipeline stages.
  const int64_t guess = ranks.empty() ? rank : int64_t{rank} - ranks.front();
  const int64_t count = ranks.empty() ? rank_count() : static_cast<int64_t>(ranks.size());
  if (guess >= 0 && guess < count && rank_at(static_cast<int>(guess)) == rank)
    return static_cast<int>(guess);
  const auto found = std::find(ranks.begin(), ranks.end(), rank);
  if (found == ranks.end()) return {};
  return static_cast<int>(found - ranks.begin());
}

int Mesh::stride(AxisId axis) const {
  int stride = 1;
  for (size_t a = index(axis) + 1; a < axes.size(); ++a) stride *= axes[a].size;
  return stride;
}

int Mesh::coordinate(Rank rank, AxisId axis) const {
  return coordinate_at(place_of(rank), axis);
}

int Mesh::coordinate_at(int place, AxisId axis) const {
  return place / stride(axis) % axes[index(axis)].size;
}

std::vector<Rank> Mesh::group(Rank rank, AxisId axis) const {
  const int step = stride(axis);
  const int first = place_of(rank) - coordinate(rank, axis) * step;
  std::vector<Rank> members;
  members.reserve(static_cast<size_t>(axes[index(axis)].size));
  for (int i = 0; i < axes[index(axis)].size; ++i) members.push_back(rank_at(first + i * step));
  return members;
}

std::optional<AxisId> Mesh::find(std::string_view name) const {
  for (size_t a = 0; a < axes.size(); ++a)
    if (axes[a].name == name) return static_cast<AxisId>(a);
  return {};
}

MeshPtr make_mesh(std::vector<MeshAxis> axes, std::vector<Rank> ranks) {
  require(axes.size() <= kMostAxes, "the mesh has {} axes; at most {} are wanted", axes.size(),
          kMostAxes);
  int64_t count = 1;
  for (size_t a = 0; a < axes.size(); ++a) {
    require(is_axis_name(axes[a].name),
            "a mesh axis is called '{}'; letters, digits, '_' and '.' are wanted",
            printable(axes[a].name));
    require(axes[a].size >= 1, "the mesh axis '{}' has the size {}; at least 1 is wanted",
            axes[a].name, axes[a].size);
    count *= axes[a].size;
    require(count <= kMostRanks, "the mesh has {} ranks up to its axis '{}'; at most {} are wanted",
            count, axes[a].name, kMostRanks);
    for (size_t b = 0; b < a; ++b)
      require(axes[a].name != axes[b].name, "two mesh axes are called '{}'", axes[a].name);
  }
  if (!ranks.empty()) {
    check_ranks(ranks, count);
    // The list 0, 1, 2, … says nothing: one form for equal meshes.
    if (ranks.front() == 0 && std::is_sorted(ranks.begin(), ranks.end()) &&
        ranks.back() == static_cast<Rank>(ranks.size()) - 1)
      ranks.clear();
  }
  return std::make_shared<const Mesh>(Mesh{std::move(axes), std::move(ranks)});
}

Layout replicated(MeshPtr mesh, size_t ndim) {
  return {std::move(mesh), std::vector<std::vector<AxisId>>(ndim), {}};
}

void validate(const Layout& layout, size_t ndim) {
  if (layout.dims.size() != ndim)
    fail(ErrorCode::kInvalidArgument, "the layout {} has {} dims but the tensor {}",
         to_string(layout), layout.dims.size(), ndim);
  std::vector<bool> used(layout.mesh->axes.size(), false);
  const auto use = [&](AxisId axis) {
    require(axis >= 0 && index(axis) < used.size(), "the layout uses axis {} of a mesh of {}", axis,
            used.size());
    if (used[index(axis)])
      fail(ErrorCode::kInvalidArgument, "the layout {} uses the axis '{}' twice", to_string(layout),
           layout.mesh->axes[index(axis)].name);
    used[index(axis)] = true;
  };
  for (const auto& dim : layout.dims) std::for_each(dim.begin(), dim.end(), use);
  for (const Partial& partial : layout.partial) use(partial.axis);
  for (size_t i = 1; i < layout.partial.size(); ++i)
    require(layout.partial[i - 1].axis < layout.partial[i].axis,
            "the axes of partial values are not in the order of the mesh");
}

int part_count(const Layout& layout, size_t dim) {
  int count = 1;
  for (const AxisId axis : layout.dims[dim]) count *= layout.mesh->axes[index(axis)].size;
  return count;
}

int part_index(const Layout& layout, size_t dim, Rank rank) {
  return part_at(layout, dim, layout.mesh->place_of(rank));
}

Box local_box(const Layout& layout, const Shape& global, Rank rank) {
  if (layout.dims.size() != global.size())
    fail(ErrorCode::kInvalidArgument, "the layout {} has {} dims but the tensor {} has {}",
         to_string(layout), layout.dims.size(), to_string(global), global.size());
  const int place = layout.mesh->place_of(rank);
  Box box = whole(global);
  for (size_t d = 0; d < global.size(); ++d) {
    if (layout.dims[d].empty()) continue;
    const FactorPart part =
        factor_part(global[d], part_at(layout, d, place), part_count(layout, d));
    box.begin[d] = part.begin;
    box.size[d] = part.size;
  }
  return box;
}

std::vector<AxisId> replica_axes(const Layout& layout) {
  std::vector<bool> used(layout.mesh->axes.size(), false);
  for (const auto& dim : layout.dims)
    for (const AxisId axis : dim) used[index(axis)] = true;
  for (const Partial& partial : layout.partial) used[index(partial.axis)] = true;
  std::vector<AxisId> axes;
  for (size_t a = 0; a < used.size(); ++a)
    if (!used[a]) axes.push_back(static_cast<AxisId>(a));
  return axes;
}

std::vector<Rank> replica_group(const Layout& layout, Rank rank) {
  const Mesh& mesh = *layout.mesh;
  std::vector<int> places{mesh.place_of(rank)};
  for (const AxisId axis : replica_axes(layout)) {
    const int step = mesh.stride(axis), here = mesh.coordinate(rank, axis);
    std::vector<int> more;
    for (const int place : places)
      for (int i = 0; i < mesh.axes[index(axis)].size; ++i)
        more.push_back(place + (i - here) * step);
    places = std::move(more);
  }
  std::sort(places.begin(), places.end());
  std::vector<Rank> group;
  group.reserve(places.size());
  for (const int place : places) group.push_back(mesh.rank_at(place));
  return group;
}

std::vector<std::vector<Rank>> replica_groups(const Layout& layout) {
  using Holder = std::pair<std::vector<int>, int>;  // a part, and the place that holds it
  const Mesh& mesh = *layout.mesh;
  std::vector<Holder> holders(static_cast<size_t>(mesh.rank_count()));
  for (int place = 0; place < mesh.rank_count(); ++place) {
    auto& [part, held_at] = holders[static_cast<size_t>(place)];
    held_at = place;
    for (size_t d = 0; d < layout.dims.size(); ++d) part.push_back(part_at(layout, d, place));
    for (const Partial& partial : layout.partial)
      part.push_back(mesh.coordinate_at(place, partial.axis));
  }
  std::sort(holders.begin(), holders.end());
  std::vector<std::vector<Rank>> groups;
  for (size_t i = 0; i < holders.size(); ++i) {
    if (i == 0 || holders[i].first != holders[i - 1].first) groups.emplace_back();
    groups.back().push_back(mesh.rank_at(holders[i].second));
  }
  return groups;
}

}  // namespace tessera
