#include "tessera/layout/exchange.h"

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/layout/sharding_rule.h"

namespace tessera {
namespace {

size_t index(AxisId axis) {
  return static_cast<size_t>(axis);
}

/// The part that holds element `at` of an extent cut into `count`: the last that begins at or
/// before it.
int64_t part_with(int64_t extent, int64_t count, int64_t at) {
  int64_t low = 0, high = count - 1;
  while (low < high) {
    const int64_t middle = (low + high + 1) / 2;
    if (factor_part(extent, middle, count).begin <= at)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

/// How many parts that are not empty meet [begin, begin + size).
int64_t parts_that_meet(int64_t extent, int64_t count, const FactorPart& wanted) {
  if (wanted.size == 0) return 0;
  if (extent < count) return wanted.size;  // every part that is not empty holds one element
  return part_with(extent, count, wanted.begin + wanted.size - 1) -
         part_with(extent, count, wanted.begin) + 1;
}

/// A part of one dim of the source and what of it is wanted.
struct Overlap {
  int64_t part;
  FactorPart common;
};

std::vector<Overlap> overlaps(int64_t extent, int64_t count, const FactorPart& wanted) {
  std::vector<Overlap> found;
  const int64_t end = wanted.begin + wanted.size;
  for (int64_t at = wanted.begin; at < end;) {
    const int64_t part = part_with(extent, count, at);
    const FactorPart held = factor_part(extent, part, count);
    const int64_t stop = std::min(end, held.begin + held.size);
    found.push_back({part, {at, stop - at}});
    at = stop;
  }
  return found;
}

std::vector<AxisId> reduced_axes(const Layout& from, const Layout& to) {
  std::vector<AxisId> axes;
  for (const Partial& partial : from.partial)
    if (std::find(to.partial.begin(), to.partial.end(), partial) == to.partial.end())
      axes.push_back(partial.axis);
  return axes;
}

/// Where in the source mesh a destination looks for replicas and for the terms that it keeps: at
/// its own coordinates, or, when it is not in that mesh, spread over the places.
int home_place(const Layout& from, const Layout& to, Rank rank) {
  if (const std::optional<int> own = from.mesh->find_place(rank)) return *own;
  return to.mesh->place_of(rank) % from.mesh->rank_count();
}

/// `place` with the coordinate along `axis` replaced.
int moved(const Mesh& mesh, int place, AxisId axis, int coordinate) {
  return place + (coordinate - mesh.coordinate_at(place, axis)) * mesh.stride(axis);
}

/// `place` with the coordinates of the axes of dim `dim` replaced by those of `part`.
int moved_to_part(const Layout& layout, int place, size_t dim, int64_t part) {
  const std::vector<AxisId>& axes = layout.dims[dim];
  for (size_t i = axes.size(); i-- > 0;) {
    const int size = layout.mesh->axes[index(axes[i])].size;
    place = moved(*layout.mesh, place, axes[i], static_cast<int>(part % size));
    part /= size;
  }
  return place;
}

/// All parts of one term: the product of the dims' overlaps, row-major.
std::vector<Receive> parts_of_term(const Layout& from, const Box& box, int home,
                                   const std::vector<std::vector<Overlap>>& dims) {
  std::vector<Receive> parts;
  std::vector<size_t> at(dims.size(), 0);
  while (true) {
    Receive receive{0, box};
    int place = home;
    for (size_t d = 0; d < dims.size(); ++d) {
      const Overlap& overlap = dims[d][at[d]];
      receive.box.begin[d] = overlap.common.begin;
      receive.box.size[d] = overlap.common.size;
      place = moved_to_part(from, place, d, overlap.part);
    }
    receive.source = from.mesh->rank_at(place);
    parts.push_back(std::move(receive));
    size_t d = dims.size();
    while (d > 0 && ++at[d - 1] == dims[d - 1].size()) at[--d] = 0;
    if (d == 0) return parts;
  }
}

}  // namespace

void check_exchange(const Layout& from, const Layout& to) {
  const ErrorContext context([&] {
    return fmt::format("planning the exchange from {} to {}", to_string(from), to_string(to));
  });
  for (const Partial& partial : to.partial) {
    require(*from.mesh == *to.mesh,
            "partial values can only stay on their mesh; combine them before");
    require(std::find(from.partial.begin(), from.partial.end(), partial) != from.partial.end(),
            "the values are not partial over '{}', and a sum cannot be undone",
            to.mesh->axes[index(partial.axis)].name);
  }
  for (const Partial& partial : from.partial)
    require(partial.op == from.partial.front().op,
            "what {} and {} make of partial values depends on their order",
            to_string(from.partial.front().op), to_string(partial.op));
}

std::vector<std::vector<Receive>> exchange_parts(const Layout& from, const Layout& to,
                                                 const Shape& global, Rank rank) {
  check_exchange(from, to);
  const Box box = local_box(to, global, rank);
  const int home = home_place(from, to, rank);
  std::vector<std::vector<Overlap>> dims;
  for (size_t d = 0; d < global.size(); ++d)
    dims.push_back(overlaps(global[d], part_count(from, d), {box.begin[d], box.size[d]}));

  std::vector<int> homes{home};
  for (const AxisId axis : reduced_axes(from, to)) {
    std::vector<int> more;
    for (const int place : homes)
      for (int i = 0; i < from.mesh->axes[index(axis)].size; ++i)
        more.push_back(moved(*from.mesh, place, axis, i));
    homes = std::move(more);
  }
  std::vector<std::vector<Receive>> terms;
  for (const int place : homes) {
    terms.emplace_back();
    if (!is_empty(box)) terms.back() = parts_of_term(from, box, place, dims);
  }
  return terms;
}

Traffic exchange_traffic(const Layout& from, const Layout& to, const Shape& global,
                         int64_t element_bytes, Rank rank) {
  const Box box = local_box(to, global, rank);
  if (is_empty(box)) return {};
  Traffic traffic{1, element_count(box.size)};
  for (size_t d = 0; d < global.size(); ++d)
    traffic.messages *=
        parts_that_meet(global[d], part_count(from, d), {box.begin[d], box.size[d]});
  for (const AxisId axis : reduced_axes(from, to)) {
    traffic.messages *= from.mesh->axes[index(axis)].size;
    traffic.bytes = checked_product(traffic.bytes, from.mesh->axes[index(axis)].size);
  }
  if (from.mesh->find_place(rank)) {
    const Box own = intersect(local_box(from, global, rank), box);
    if (!is_empty(own)) {
      traffic.messages -= 1;
      traffic.bytes -= element_count(own.size);
    }
  }
  traffic.bytes = checked_product(traffic.bytes, element_bytes);
  return traffic;
}

}  // namespace tessera
