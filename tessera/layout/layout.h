// Where the elements of a global tensor live on a mesh of ranks.
//
//   {dp=2,tp=4,sp=2} [dp tp, -] +sp
//
// The mesh axes with their sizes, the first one slowest; then for each dim of the tensor the axes
// that split it, major to minor, or '-' where it is whole; then the axes over which the ranks hold
// partial values: '+' for sums, "max:sp" or "min:sp" for others. Axes that are nowhere hold
// replicas. A mesh over other ranks than 0, 1, 2, … lists them: {dp=2,tp=2 @ 4-7}.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/tensor/box.h"
#include "tessera/tensor/rank.h"

namespace tessera {

using AxisId = int;  // index into Mesh::axes

// No mesh is larger: what a text or a file says is bounded before it is believed.
inline constexpr int kMostRanks = 1 << 20;
inline constexpr size_t kMostAxes = 64;

struct MeshAxis {
  std::string name;
  int size = 1;
  bool operator==(const MeshAxis&) const = default;
};

/// The grid of ranks. A place is an index into the grid, row-major: the last axis is fastest.
struct Mesh {
  std::vector<MeshAxis> axes;
  std::vector<Rank> ranks;  // the rank at each place; empty: rank i is at place i

  int rank_count() const;
  Rank rank_at(int place) const {
    return ranks.empty() ? place : ranks[static_cast<size_t>(place)];
  }
  /// The ranks by their places, and by their numbers.
  std::vector<Rank> all_ranks() const;
  std::vector<Rank> sorted_ranks() const;
  /// Throws kInvalidArgument when the mesh has no such rank.
  int place_of(Rank rank) const;
  std::optional<int> find_place(Rank rank) const;
  /// How many places further the next coordinate along `axis` is.
  int stride(AxisId axis) const;
  int coordinate(Rank rank, AxisId axis) const;
  int coordinate_at(int place, AxisId axis) const;
  /// The ranks that differ from `rank` along `axis` only, by increasing coordinate.
  std::vector<Rank> group(Rank rank, AxisId axis) const;
  std::optional<AxisId> find(std::string_view name) const;

  bool operator==(const Mesh&) const = default;
};

using MeshPtr = std::shared_ptr<const Mesh>;

/// Checks the sizes, names and ranks; the list 0, 1, 2, … becomes the empty one. Throws
/// kInvalidArgument.
MeshPtr make_mesh(std::vector<MeshAxis> axes, std::vector<Rank> ranks = {});
/// Reads "{dp=2,tp=4}". Throws kInvalidArgument with the column.
MeshPtr parse_mesh(std::string_view text);
std::string to_string(const Mesh& mesh);

/// The mesh with `axis` split into axes of these sizes, major to minor, called "tp.0", "tp.1", …;
/// their product must be the axis' size. The ranks stay where they are.
MeshPtr refine(const MeshPtr& mesh, AxisId axis, std::span<const int> sizes);
/// The coarsest mesh that refines both, axes of size 1 left out, or null when there is none. It has
/// the names of `a`, with ".0", ".1", … where an axis is split. Both must have equal ranks.
MeshPtr common_refinement(const MeshPtr& a, const MeshPtr& b);

struct Partial {
  AxisId axis = 0;
  ReduceOp op = ReduceOp::kSum;
  bool operator==(const Partial&) const = default;
};

struct Layout {
  MeshPtr mesh;                           // never null
  std::vector<std::vector<AxisId>> dims;  // dims[d]: the axes that split dim d, major to minor
  std::vector<Partial> partial;           // sorted by axis

  bool operator==(const Layout& other) const {
    return *mesh == *other.mesh && dims == other.dims && partial == other.partial;
  }
};

Layout replicated(MeshPtr mesh, size_t ndim);
/// Reads the notation above. Throws kInvalidArgument with the column.
Layout parse_layout(std::string_view text);
/// Reads "[dp tp, -] +sp" over a mesh that is known.
Layout parse_layout(std::string_view text, const MeshPtr& mesh);
std::string to_string(const Layout& layout);
/// to_string without the mesh.
std::string dims_to_string(const Layout& layout);

/// Throws kInvalidArgument unless every axis exists and is used at most once and the layout has
/// `ndim` dims, and partial is sorted.
void validate(const Layout& layout, size_t ndim);

/// The same placement on a mesh that refines the layout's: every rank keeps its box. Throws
/// kInvalidArgument when it does not refine it.
Layout rebase(const Layout& layout, const MeshPtr& refined);

/// Into how many parts dim `dim` is cut, and which of them `rank` holds.
int part_count(const Layout& layout, size_t dim);
int part_index(const Layout& layout, size_t dim, Rank rank);

/// The part of the global tensor that `rank` holds. Part i of n begins at floor(extent * i / n), so
/// extents need not divide, and the boundaries of a coarse cut are boundaries of every finer one.
Box local_box(const Layout& layout, const Shape& global, Rank rank);

/// The axes that neither split a dim nor hold partial values.
std::vector<AxisId> replica_axes(const Layout& layout);
/// The ranks that hold the same part as `rank`, in the order of their places.
std::vector<Rank> replica_group(const Layout& layout, Rank rank);
/// All of them, ordered by the part they hold: row-major over the dims.
std::vector<std::vector<Rank>> replica_groups(const Layout& layout);

/// MindSpore's form of a layout: a device matrix, and per dim the device dims that split it, major
/// first, counted from the right; an empty list is a whole dim.
struct TensorMap {
  std::vector<int> device_matrix;
  std::vector<std::vector<int>> dims;
  bool operator==(const TensorMap&) const = default;
};

/// Axes are called d0, d1, … from the left. -1 is accepted for "whole". Throws kInvalidArgument
/// naming the dim for a reference outside the matrix, one that is used twice or a size < 1.
Layout from_tensor_map(const TensorMap& map);
/// Throws kInvalidArgument for a layout with partial values. Device i of the matrix is place i: a
/// list of ranks is not part of it.
TensorMap to_tensor_map(const Layout& layout);
/// Without the device dims of size 1, as MindSpore stores layouts of operator strategies. Throws
/// kInvalidArgument for a reference outside the matrix.
TensorMap squeeze(const TensorMap& map);

/// MindSpore's optimizer sharding: ranks that hold the same part, in order, form consecutive chunks
/// of `size` (-1: all of them), and dim 0 of the part is cut once more inside each chunk. Returns
/// the layout that says so, over a refined mesh where needed. `step`, the distance between
/// neighbours, is checked where one axis alone is repeated (0: not checked). Throws
/// kInvalidArgument when the chunks do not follow the mesh or nothing is repeated.
Layout shard_optimizer(const Layout& layout, int step, int size);

}  // namespace tessera
