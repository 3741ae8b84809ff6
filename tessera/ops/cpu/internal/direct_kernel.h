// What the kernels of direct.h share as kernels: row-major operands, whole f32 tensors, a processor
// that has vectors.
#pragma once

#include "tessera/graph/kernel.h"
#include "tessera/ops/cpu/internal/direct.h"
#include "tessera/ops/cpu/internal/f32_only.h"
#include "tessera/ops/cpu/internal/parallel.h"

namespace tessera::internal {

/// Yes when all is f32, whole and not empty, and the processor has AVX2 or AVX-512.
Support direct_supports(const OpCall& call);

/// A prepared kernel whose operands and results are all row-major.
class DirectKernel : public PreparedKernel {
 public:
  DirectKernel(const OpCall& call, double work, int64_t parts)
      : threads_(worthwhile_threads(work, parts)) {
    formats_.operands.resize(call.operand_count());
    formats_.results.resize(call.results.size());
  }
  const Formats& formats() const override { return formats_; }

 protected:
  static const float* in(std::span<const Tensor> operands, size_t i) {
    return floats_of(operands[i]);
  }
  static float* out(std::span<Tensor> results) { return mutable_floats_of(results[0]); }
  int threads_;

 private:
  Formats formats_;
};

}  // namespace tessera::internal
