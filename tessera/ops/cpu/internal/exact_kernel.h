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

inline int64_t bytes_of(const std::vector<float>& values) {
  return static_cast<int64_t>(values.capacity() * sizeof(float));
}

/// The product of two matrices by all threads: packs `a`, and `b` where it is not kept packed.
class ExactMatrices {
 public:
  ExactMatrices(const MatrixShape& a, const MatrixShape& b);

  /// Packs the `b` of all runs to come.
  void keep(const float* b);
  /// Writes the row-major product; after keep() `b` is not looked at.
  void run(const float* a, const float* b, const ExactEnd& end, float* out);
  std::string detail() const;
  /// What it packs operands into, as far as that is known before it runs.
  int64_t kept_bytes() const { return bytes_of(tiles_of_a_) + bytes_of(panels_of_b_); }

 private:
  void pack(const float* b);

  MatrixShape a_;
  MatrixShape b_;
  Simd simd_;
  int threads_;
  RowTiles tiles_;
  std::vector<float> tiles_of_a_;
  std::vector<float> panels_of_b_;
  bool is_kept_ = false;
};

}  // namespace tessera::internal
