// MindSpore's device matrix and tensor map. Device dims are counted from the right, a list names
// the device dims of one tensor dim, major first.
#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/layout/layout.h"

namespace tessera {

Layout from_tensor_map(const TensorMap& map) {
  std::vector<MeshAxis> axes;
  for (size_t a = 0; a < map.device_matrix.size(); ++a)
    axes.push_back({fmt::format("d{}", a), map.device_matrix[a]});
  const int count = static_cast<int>(axes.size());
  Layout layout{make_mesh(std::move(axes)), {}, {}};
  std::vector<int> user(map.device_matrix.size(), -1);  // the dim that a device dim splits
  for (size_t d = 0; d < map.dims.size(); ++d) {
    std::vector<AxisId>& dim = layout.dims.emplace_back();
    for (const int from_right : map.dims[d]) {
      if (from_right == -1) continue;
      require(from_right >= 0 && from_right < count,
              "dim {} of the tensor map refers to device dim {} of a matrix of {}", d, from_right,
              count);
      int& owner = user[static_cast<size_t>(from_right)];
      require(owner == -1, "dim {} of the tensor map refers to device dim {}, which splits dim {}",
              d, from_right, owner);
      owner = static_cast<int>(d);
      dim.push_back(count - 1 - from_right);
    }
  }
  return layout;
}

TensorMap to_tensor_map(const Layout& layout) {
  require(layout.partial.empty(), "the layout {} has partial values, which a tensor map cannot say",
          to_string(layout));
  TensorMap map;
  for (const MeshAxis& axis : layout.mesh->axes) map.device_matrix.push_back(axis.size);
  const int count = static_cast<int>(map.device_matrix.size());
  for (const auto& dim : layout.dims) {
    std::vector<int>& entry = map.dims.emplace_back();
    for (const AxisId axis : dim) entry.push_back(count - 1 - axis);
  }
  return map;
}

TensorMap squeeze(const TensorMap& map) {
  const size_t count = map.device_matrix.size();
  TensorMap squeezed;
  std::vector<int> renumbered(count, -1);  // by the number from the right
  for (size_t a = 0; a < count; ++a)
    if (map.device_matrix[a] > 1) squeezed.device_matrix.push_back(map.device_matrix[a]);
  int next = 0;
  for (size_t a = count; a-- > 0;)
    if (map.device_matrix[a] > 1) renumbered[count - 1 - a] = next++;
  for (size_t d = 0; d < map.dims.size(); ++d) {
    std::vector<int>& entry = squeezed.dims.emplace_back();
    for (const int from_right : map.dims[d]) {
      if (from_right == -1) continue;
      require(from_right >= 0 && static_cast<size_t>(from_right) < count,
              "dim {} of the tensor map refers to device dim {} of a matrix of {}", d, from_right,
              count);
      const int number = renumbered[static_cast<size_t>(from_right)];
      if (number >= 0) entry.push_back(number);
    }
  }
  return squeezed;
}

}  // namespace tessera
