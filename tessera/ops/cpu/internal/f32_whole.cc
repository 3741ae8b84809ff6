#include "tessera/ops/cpu/internal/f32_whole.h"

namespace tessera::internal {

Support f32_only(const OpCall& call) {
  for (const std::span<const TensorType> types : {call.operands, call.results}) {
    for (const TensorType& type : types) {
      if (type.dtype == DType::kF32) continue;
      return Support::no(fmt::format("{} where it computes f32", to_string(type.dtype)));
    }
  }
  return Support::yes();
}

Support f32_whole(const OpCall& call) {
  for (const std::span<const TensorType> types : {call.operands, call.results}) {
    for (const TensorType& type : types) {
      if (!type.is_whole()) return Support::no("it computes whole tensors only");
      if (element_count(type.global) == 0) return Support::no("a tensor is empty");
    }
  }
  return f32_only(call);
}

}  // namespace tessera::internal
