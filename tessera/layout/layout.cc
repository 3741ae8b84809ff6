#include "tessera/layout/layout.h"

#include <algorithm>
#include <numeric>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/layout/sharding_rule.h"

namespace tessera {
namespace {

constexpr int kMostRanks = 1 << 24;

size_t index(AxisId axis) {
  return static_cast<size_t>(axis);
}

}  // namespace

int Mesh::rank_count() const {
  int count = 1;
  for (const MeshAxis& axis : axes) count *= axis.size;
  return count;
}

int Mesh::place_of(Rank rank) const {
  if (ranks.empty()) {
    require(rank >= 0 && rank < rank_count(), "rank {} is not in the mesh {}", rank,
            to_string(*this));
    return rank;
  }
  const auto found = std::find(ranks.begin(), ranks.end(), rank);
  require(found != ranks.end(), "rank {} is not in the mesh {}", rank, to_string(*this));
  return static_cast<int>(found - ranks.begin());
}

int Mesh::stride(AxisId axis) const {
  int stride = 1;
  for (size_t a = index(axis) + 1; a < axes.size(); ++a) stride *= axes[a].size;
  return stride;
}

int Mesh::coordinate(Rank rank, AxisId axis) const {
  return place_of(rank) / stride(axis) % axes[index(axis)].size;
}

std::vector<Rank> Mesh::group(Rank rank, AxisId axis) const {
  const int step = stride(axis);
  const int first = place_of(rank) - coordinate(rank, axis) * step;
  std::vector<Rank> members;
  for (int i = 0; i < axes[index(axis)].size; ++i) members.push_back(rank_at(first + i * step));
  return members;
}

std::optional<AxisId> Mesh::find(std::string_view name) const {
  for (size_t a = 0; a < axes.size(); ++a)
    if (axes[a].name == name) return static_cast<AxisId>(a);
  return {};
}

MeshPtr make_mesh(std::vector<MeshAxis> axes, std::vector<Rank> ranks) {
  int64_t count = 1;
  for (size_t a = 0; a < axes.size(); ++a) {
    require(axes[a].size >= 1, "the mesh axis '{}' has the size {}; at least 1 is wanted",
            printable(axes[a].name), axes[a].size);
    count *= axes[a].size;
    require(count <= kMostRanks, "the mesh has more than {} ranks", kMostRanks);
    for (size_t b = 0; b < a; ++b)
      require(axes[a].name != axes[b].name, "two mesh axes are called '{}'",
              printable(axes[a].name));
  }
  if (!ranks.empty()) {
    require(static_cast<int64_t>(ranks.size()) == count,
            "the mesh has {} places but lists {} ranks", count, ranks.size());
    std::vector<Rank> sorted = ranks;
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    require(twice == sorted.end(), "the mesh lists rank {} twice",
            twice == sorted.end() ? 0 : *twice);
    require(sorted.front() >= 0, "the mesh lists rank {}", sorted.front());
    std::vector<Rank> plain(ranks.size());
    std::iota(plain.begin(), plain.end(), 0);
    if (ranks == plain) ranks.clear();
  }
  return std::make_shared<const Mesh>(Mesh{std::move(axes), std::move(ranks)});
}

Layout replicated(MeshPtr mesh, size_t ndim) {
  return {std::move(mesh), std::vector<std::vector<AxisId>>(ndim), {}};
}

void validate(const Layout& layout, size_t ndim) {
  require(layout.dims.size() == ndim, "the layout {} has {} dims but the tensor {}",
          to_string(layout), layout.dims.size(), ndim);
  std::vector<bool> used(layout.mesh->axes.size(), false);
  const auto use = [&](AxisId axis) {
    require(axis >= 0 && index(axis) < used.size(), "the layout uses axis {} of a mesh of {}", axis,
            used.size());
    require(!used[index(axis)], "the layout {} uses the axis '{}' twice", to_string(layout),
            layout.mesh->axes[index(axis)].name);
    used[index(axis)] = true;
  };
  for (const auto& dim : layout.dims) std::for_each(dim.begin(), dim.end(), use);
  for (const Partial& partial : layout.partial) use(partial.axis);
}

int part_count(const Layout& layout, size_t dim) {
  int count = 1;
  for (const AxisId axis : layout.dims[dim]) count *= layout.mesh->axes[index(axis)].size;
  return count;
}

int part_index(const Layout& layout, size_t dim, Rank rank) {
  int part = 0;
  for (const AxisId axis : layout.dims[dim])
    part = part * layout.mesh->axes[index(axis)].size + layout.mesh->coordinate(rank, axis);
  return part;
}

Box local_box(const Layout& layout, const Shape& global, Rank rank) {
  require(layout.dims.size() == global.size(), "the layout {} has {} dims but the tensor {} has {}",
          to_string(layout), layout.dims.size(), to_string(global), global.size());
  Box box = whole(global);
  for (size_t d = 0; d < global.size(); ++d) {
    if (layout.dims[d].empty()) continue;
    const FactorPart part =
        factor_part(global[d], part_index(layout, d, rank), part_count(layout, d));
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
  for (const int place : places) group.push_back(mesh.rank_at(place));
  return group;
}

std::vector<std::vector<Rank>> replica_groups(const Layout& layout) {
  struct Holder {
    std::vector<int> part;
    int place;
    auto operator<=>(const Holder&) const = default;
  };
  const Mesh& mesh = *layout.mesh;
  std::vector<Holder> holders;
  for (int place = 0; place < mesh.rank_count(); ++place) {
    Holder holder{{}, place};
    for (size_t d = 0; d < layout.dims.size(); ++d)
      holder.part.push_back(part_index(layout, d, mesh.rank_at(place)));
    for (const Partial& partial : layout.partial)
      holder.part.push_back(mesh.coordinate(mesh.rank_at(place), partial.axis));
    holders.push_back(std::move(holder));
  }
  std::sort(holders.begin(), holders.end());
  std::vector<std::vector<Rank>> groups;
  for (size_t i = 0; i < holders.size(); ++i) {
    if (i == 0 || holders[i].part != holders[i - 1].part) groups.emplace_back();
    groups.back().push_back(mesh.rank_at(holders[i].place));
  }
  return groups;
}

}  // namespace tessera
