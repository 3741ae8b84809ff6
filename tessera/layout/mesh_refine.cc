// Splitting mesh axes, so that layouts over different meshes of the same ranks can be compared, and
// the layouts of MindSpore's optimizer sharding, which cut an axis that is used as a whole
// elsewhere.
#include <algorithm>
#include <set>

#include "tessera/base/error.h"
#include "tessera/layout/layout.h"

namespace tessera {
namespace {

/// parts[a]: the axes of `refined`, major to minor, that axis a of `mesh` became.
std::vector<std::vector<AxisId>> parts_of(const Mesh& mesh, const Mesh& refined) {
  const auto no_refinement = [&](std::string_view why) {
    fail(ErrorCode::kInvalidArgument, "the mesh {} does not refine {}: {}", to_string(refined),
         to_string(mesh), why);
  };
  if (mesh.ranks != refined.ranks || mesh.rank_count() != refined.rank_count())
    no_refinement("its ranks are others");
  std::vector<std::vector<AxisId>> parts;
  size_t next = 0;
  for (const MeshAxis& axis : mesh.axes) {
    std::vector<AxisId>& part = parts.emplace_back();
    int size = 1;
    while (size < axis.size && next < refined.axes.size()) {
      size *= refined.axes[next].size;
      part.push_back(static_cast<AxisId>(next++));
    }
    if (size != axis.size)
      no_refinement(fmt::format("its axes reach {} where '{}' has {}", size, axis.name, axis.size));
    if (part.empty() && next < refined.axes.size() && refined.axes[next].size == 1)
      part.push_back(static_cast<AxisId>(next++));
  }
  return parts;
}

/// The products of the sizes from the left, axes of size 1 left out: {2,4} gives 1, 2, 8.
std::vector<int> cumulative(const Mesh& mesh) {
  std::vector<int> products{1};
  for (const MeshAxis& axis : mesh.axes)
    if (axis.size > 1) products.push_back(products.back() * axis.size);
  return products;
}

bool are_unique(const std::vector<MeshAxis>& axes) {
  std::set<std::string_view> names;
  return std::all_of(axes.begin(), axes.end(),
                     [&](const MeshAxis& axis) { return names.insert(axis.name).second; });
}

}  // namespace

MeshPtr refine(const MeshPtr& mesh, AxisId axis, std::span<const int> sizes) {
  require(axis >= 0 && static_cast<size_t>(axis) < mesh->axes.size(),
          "there is no axis {} in a mesh of {}", axis, mesh->axes.size());
  const MeshAxis& old = mesh->axes[static_cast<size_t>(axis)];
  int64_t product = 1;
  for (const int size : sizes) {
    require(size >= 1, "the axis '{}' is cut into parts of size {}", old.name, size);
    product *= size;
    if (product > old.size) break;
  }
  require(product == old.size, "the sizes multiply to {} or more but the axis '{}' has {}", product,
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
  if (a->rank_count() != b->rank_count() || a->ranks != b->ranks)
    fail(ErrorCode::kInvalidArgument, "the meshes {} and {} have different ranks", to_string(*a),
         to_string(*b));
  std::vector<int> cuts = cumulative(*a);
  for (const int cut : cumulative(*b)) cuts.push_back(cut);
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  for (size_t i = 1; i < cuts.size(); ++i)
    if (cuts[i] % cuts[i - 1] != 0) return nullptr;

  std::vector<MeshAxis> axes;
  size_t next = 1;
  int begin = 1;
  for (const MeshAxis& axis : a->axes) {
    const int end = begin * axis.size;
    const bool is_split = axis.size > 1 && cuts[next] != end;
    for (int part = 0; begin < end; begin = cuts[next++])
      axes.push_back({is_split ? fmt::format("{}.{}", axis.name, part++) : axis.name,
                      cuts[next] / cuts[next - 1]});
  }
  // Names such as "tp.0" may be taken already.
  if (!are_unique(axes))
    for (size_t i = 0; i < axes.size(); ++i) axes[i].name = fmt::format("d{}", i);
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
  const ErrorContext context(
      [&] { return fmt::format("cutting {} by optimizer sharding", to_string(layout)); });
  require(!repeated.empty(), "no axis is repeated");
  if (size == -1) size = group;
  require(size >= 1 && group % size == 0,
          "chunks of {} do not divide the {} ranks that hold the same part", size, group);
  require(repeated.size() != 1 || step == 0 || mesh.stride(repeated[0]) == step,
          "the step is {} but neighbours along the repeated axis '{}' are {} apart", step,
          mesh.axes[static_cast<size_t>(repeated[0])].name, mesh.stride(repeated[0]));

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
            "chunks of {} do not follow the axes: the axis '{}' of {} cannot be cut by the {} that "
            "are left",
            size, mesh.axes[static_cast<size_t>(axis)].name, extent, rest);
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
