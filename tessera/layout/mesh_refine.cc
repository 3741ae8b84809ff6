// Splitting mesh axes, so that layouts over different meshes of the same ranks can be compared, and
// the layouts of MindSpore's optimizer sharding, which cut an axis that is used as a whole
// elsewhere.
#include <algorithm>
#include <numeric>

#include "tessera/base/error.h"
#include "tessera/layout/layout.h"

namespace tessera {
namespace {

/// parts[a]: the axes of `refined`, major to minor, that axis a of `mesh` became.
std::vector<std::vector<AxisId>> parts_of(const Mesh& mesh, const Mesh& refined) {
  std::vector<std::vector<AxisId>> parts;
  size_t next = 0;
  for (const MeshAxis& axis : mesh.axes) {
    std::vector<AxisId>& part = parts.emplace_back();
    int size = 1;
    while (size < axis.size && next < refined.axes.size()) {
      size *= refined.axes[next].size;
      part.push_back(static_cast<AxisId>(next++));
    }
    require(size == axis.size, "the mesh {} does not refine {}: its axes cut '{}' at {} of {}",
            to_string(refined), to_string(mesh), axis.name, size, axis.size);
    if (part.empty() && next < refined.axes.size() && refined.axes[next].size == 1)
      part.push_back(static_cast<AxisId>(next++));
  }
  for (; next < refined.axes.size(); ++next)
    require(refined.axes[next].size == 1, "the mesh {} has more ranks than {}", to_string(refined),
            to_string(mesh));
  return parts;
}

/// For each place from the left the number of ranks before it: {2,4} gives 1, 2, 8.
std::vector<int> cumulative(const Mesh& mesh) {
  std::vector<int> products{1};
  for (const MeshAxis& axis : mesh.axes)
    if (axis.size > 1) products.push_back(products.back() * axis.size);
  return products;
}

}  // namespace

MeshPtr refine(const MeshPtr& mesh, AxisId axis, std::span<const int> sizes) {
  require(axis >= 0 && static_cast<size_t>(axis) < mesh->axes.size(), "the mesh {} has no axis {}",
          to_string(*mesh), axis);
  const MeshAxis& old = mesh->axes[static_cast<size_t>(axis)];
  int64_t product = 1;
  for (const int size : sizes) product *= size;
  require(product == old.size, "the sizes multiply to {} but the axis '{}' has {}", product,
          old.name, old.size);
  std::vector<MeshAxis> axes;
  for (size_t a = 0; a < mesh->axes.size(); ++a) {
    if (a != static_cast<size_t>(axis)) {
      axes.push_back(mesh->axes[a]);
      continue;
    }
    for (size_t i = 0; i < sizes.size(); ++i)
      axes.push_back({fmt::format("{}.{}", old.name, i), sizes[i]});
  }
  return make_mesh(std::move(axes), mesh->ranks);
}

MeshPtr common_refinement(const MeshPtr& a, const MeshPtr& b) {
  require(a->rank_count() == b->rank_count() && a->ranks == b->ranks,
          "the meshes {} and {} have different ranks", to_string(*a), to_string(*b));
  std::vector<int> cuts = cumulative(*a);
  for (const int cut : cumulative(*b)) cuts.push_back(cut);
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  std::vector<MeshAxis> axes;
  for (size_t i = 1; i < cuts.size(); ++i) {
    if (cuts[i] % cuts[i - 1] != 0) return nullptr;
    axes.push_back({fmt::format("d{}", i - 1), cuts[i] / cuts[i - 1]});
  }
  return make_mesh(std::move(axes), a->ranks);
}

Layout rebase(const Layout& layout, const MeshPtr& refined) {
  const std::vector<std::vector<AxisId>> parts = parts_of(*layout.mesh, *refined);
  Layout result{refined, {}, {}};
  for (const auto& dim : layout.dims) {
    std::vector<AxisId>& axes = result.dims.emplace_back();
    for (const AxisId axis : dim)
      for (const AxisId part : parts[static_cast<size_t>(axis)]) axes.push_back(part);
  }
  for (const Partial& partial : layout.partial)
    for (const AxisId part : parts[static_cast<size_t>(partial.axis)])
      result.partial.push_back({part, partial.op});
  return result;
}

Layout shard_optimizer(const Layout& layout, int step, int size) {
  require(!layout.dims.empty(), "a scalar cannot be cut by optimizer sharding");
  const Mesh& mesh = *layout.mesh;
  std::vector<AxisId> repeated;
  int group = 1;
  for (const AxisId axis : replica_axes(layout)) {
    const int extent = mesh.axes[static_cast<size_t>(axis)].size;
    if (extent > 1) repeated.push_back(axis);
    group *= extent;
  }
  require(!repeated.empty(), "optimizer sharding of {}: no axis is repeated", to_string(layout));
  if (size == -1) size = group;
  require(size >= 1 && group % size == 0,
          "optimizer sharding in chunks of {} does not divide the {} ranks that hold the same part "
          "of {}",
          size, group, to_string(layout));
  require(repeated.size() != 1 || step == 0 || mesh.stride(repeated[0]) == step,
          "optimizer sharding says a step of {} but neighbours along the repeated axis '{}' of {} "
          "are {} apart",
          step, mesh.axes[static_cast<size_t>(repeated[0])].name, to_string(layout),
          mesh.stride(repeated[0]));

  // The chunk's ranks are neighbours: take axes from the right until they make up `size`.
  std::vector<AxisId> taken;
  int rest = size;
  Layout result = layout;
  while (rest > 1) {
    const AxisId axis = repeated.back();
    const int extent = mesh.axes[static_cast<size_t>(axis)].size;
    repeated.pop_back();
    if (rest % extent == 0) {
      taken.push_back(axis);
      rest /= extent;
      continue;
    }
    require(extent % rest == 0,
            "optimizer sharding in chunks of {} does not follow the axes of {}: {} and {} have no "
            "common cut",
            size, to_string(layout), rest, extent);
    const int sizes[] = {extent / rest, rest};
    result = rebase(layout, refine(layout.mesh, axis, sizes));
    for (AxisId& later : taken) ++later;
    taken.push_back(axis + 1);
    rest = 1;
  }
  std::reverse(taken.begin(), taken.end());
  for (const AxisId axis : taken) result.dims[0].push_back(axis);
  return result;
}

}  // namespace tessera
