#include "tessera/ops/cpu/internal/f32_only.h"

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

Support f32_filled(const OpCall& call) {
  if (Support support = f32_only(call); !support.ok) return support;
  for (const std::span<const TensorType> types : {call.operands, call.results})
    for (const TensorType& type : types)
      if (element_count(type.shape()) == 0) return Support::no("a tensor is empty");
  return Support::yes();
}

}  // namespace tessera::internal
