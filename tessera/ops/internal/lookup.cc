#include "tessera/ops/internal/lookup.h"

#include <cstring>

#include "tessera/graph/op_def.h"
#include "tessera/ops/internal/axis.h"

namespace tessera::internal {

void look_up(const OpCall& call, const Lookup& lookup, std::span<const Tensor> operands,
             std::span<Tensor> results) {
  const TensorType& type = call.operands[lookup.table];
  const Tensor& table = operands[lookup.table];
  const AxisView view = axis_view(table.shape(), lookup.axis);
  const int64_t extent = type.global[lookup.axis];
  const int64_t begin = type.box.begin[lookup.axis];
  const Tensor indices = operands[lookup.indices].cast(DType::kI64);
  const auto row = static_cast<size_t>(view.inner * byte_size(table.dtype()));
  const std::byte* from = table.bytes().data();
  std::byte* to = results[0].mutable_bytes().data();
  for (int64_t o = 0; o < view.outer; ++o) {
    for (const int64_t index : indices.data<int64_t>()) {
      require(index >= -extent && index < extent, "index {} is not in [{}, {})", index, -extent,
              extent);
      const int64_t here = (index < 0 ? index + extent : index) - begin;
      if (here >= 0 && here < view.extent)
        std::memcpy(to, from + static_cast<size_t>(o * view.extent + here) * row, row);
      else
        std::memset(to, 0, row);
      to += row;
    }
  }
}

std::string_view row_word(DType dtype) {
  return accepts(DTypes::kNumber, dtype) ? "v" : "[v]";
}

}  // namespace tessera::internal
