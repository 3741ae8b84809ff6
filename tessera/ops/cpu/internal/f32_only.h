// What kernels of f32 tensors in tessera/ops/cpu share: their conditions, and the way to elements
// in formats that Tensor::data does not take. Kernels compute parts of tensors as if they were the
// whole: those that may not say so themselves.
#pragma once

#include "tessera/graph/kernel.h"

namespace tessera::internal {

/// Yes when every operand and result is f32: whole tensors or parts of them, empty or not.
Support f32_only(const OpCall& call);

/// Yes when every operand and result is f32 and holds elements here.
Support f32_filled(const OpCall& call);

/// Where the memory of an f32 tensor begins, whatever its format.
inline const float* floats_of(const Tensor& tensor) {
  return reinterpret_cast<const float*>(tensor.buffer()->data() + tensor.byte_offset());
}
inline float* mutable_floats_of(Tensor& tensor) {
  return reinterpret_cast<float*>(tensor.buffer()->mutable_data() + tensor.byte_offset());
}

}  // namespace tessera::internal
