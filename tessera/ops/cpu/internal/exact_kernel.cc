#include "tessera/ops/cpu/internal/exact_kernel.h"

namespace tessera::internal {

namespace {

/// Multiply-adds; few rows wait for the memory of `b`, as if they were more.
double work_of(const MatrixShape& a, const MatrixShape& b) {
  constexpr int64_t kRowsOfMemory = 8;
  return static_cast<double>(std::max(a.rows, kRowsOfMemory)) * static_cast<double>(a.columns) *
         static_cast<double>(b.columns);
}

}  // namespace

const float* known_elements(const OpCall& call, size_t operand) {
  if (operand >= call.constants.size() || call.constants[operand] == nullptr) return nullptr;
  return call.constants[operand]->data<float>().data();
}

ExactEnd exact_end(const Attrs& attrs, std::span<const Tensor> operands) {
  const OpCall call{{}, {}, attrs, {}};
  ExactEnd end;
  end.activation = parse_activation(call.attr<std::string>("activation"));
  end.alpha = call.attr<double>("alpha");
  if (operands.size() > kBiasOperand) end.bias = operands[kBiasOperand].data<float>().data();
  if (operands.size() > kResidualOperand) {
    end.residual = operands[kResidualOperand].data<float>().data();
  }
  return end;
}

ExactMatrices::ExactMatrices(const MatrixShape& a, const MatrixShape& b)
    : a_(a),
      b_(b),
      simd_(available_simd()),
      threads_(worthwhile_threads(work_of(a, b), std::max(panel_count(b.columns), a.rows))),
      tiles_(a.rows, simd_),
      tiles_of_a_(static_cast<size_t>(a.rows * a.columns)) {}

void ExactMatrices::pack(const float* b) {
  const int64_t panels = panel_count(b_.columns);
  panels_of_b_.resize(static_cast<size_t>(panels * kPanel * b_.rows));
  parallel_ranges(panels, threads_, [&](int64_t first, int64_t last) {
    pack_panels(MatrixView<float>(b_, b), first, last, panels_of_b_.data());
  });
}

void ExactMatrices::keep(const float* b) {
  pack(b);
  is_kept_ = true;
}

void ExactMatrices::run(const float* a, const float* b, const ExactEnd& end, float* out) {
  const int64_t panels = panel_count(b_.columns);
  const int64_t inner = a_.columns;
  parallel_ranges(tiles_.count, threads_, [&](int64_t first, int64_t last) {
    pack_tiles(MatrixView<float>(a_, a), tiles_, first, last, tiles_of_a_.data());
  });
  if (!is_kept_) pack(b);
  ExactProduct product{simd_, inner,      tiles_of_a_.data(), panels_of_b_.data(),
                       out,   b_.columns, b_.columns,         end};
  if (tiles_.count >= panels) {
    parallel_ranges(tiles_.count, threads_,
                    [&](int64_t first, int64_t last) { run_exact(product, tiles_, first, last); });
    return;
  }
  parallel_ranges(panels, threads_, [&](int64_t first, int64_t last) {
    ExactProduct part = product;
    part.b += first * kPanel * inner;
    part.out += first * kPanel;
    part.columns = std::min(last * kPanel, b_.columns) - first * kPanel;
    if (end.bias != nullptr) part.end.bias += first * kPanel;
    if (end.residual != nullptr) part.end.residual += first * kPanel;
    run_exact(part, tiles_, 0, tiles_.count);
  });
}

std::string ExactMatrices::detail() const {
  return std::string(to_string(simd_));
}

}  // namespace tessera::internal
