// What the kernels of exact.h share as kernels.
#pragma once

#include "tessera/ops/cpu/internal/direct_kernel.h"
#include "tessera/ops/cpu/internal/exact.h"
#include "tessera/ops/cpu/internal/f32_only.h"

namespace tessera::internal {

/// The kernel "exact", which prepares a Prepared(call).
template <typename Prepared>
Kernel exact_kernel() {
  return {.name = "exact",
          .supports = f32_only,
          .prepare = [](const OpCall& call, const Formats&) -> std::unique_ptr<PreparedKernel> {
            return std::make_unique<Prepared>(call);
          },
          .position_independent = true};
}

/// The operand's elements where they are known when the program is compiled, else null.
const float* known_elements(const OpCall& call, size_t operand);
/// The end of a fused call; `operands` live as long as it does.
ExactEnd exact_end(const Attrs& attrs, std::span<const Tensor> operands);

/// The product of two matrices by all threads: packs `a`, and `b` where it is not packed already.
class ExactMatrices {
 public:
  ExactMatrices(const MatrixShape& a, const MatrixShape& b);

  /// All panels of `b`, for run().
  std::vector<float> packed(const float* b) const;
  /// Writes the row-major product of `a` and `b`, given as they are or, in `packed_b`, packed.
  void run(const float* a, const float* b, const float* packed_b, const ExactEnd& end, float* out);
  std::string detail() const;

 private:
  MatrixShape a_;
  MatrixShape b_;
  Simd simd_;
  int threads_;
  RowTiles tiles_;
  std::vector<float> tiles_of_a_;
  std::vector<float> panels_of_b_;
};

}  // namespace tessera::internal
