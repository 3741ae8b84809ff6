// Elementwise kernels over f32 tensors that all lie in the format in which they are offered:
// whatever that is, its memory is one long row. Padding stays 0 where zeros give 0.
#pragma once

#include "tessera/ops/cpu/internal/f32_only.h"
#include "tessera/ops/cpu/internal/parallel.h"

namespace tessera::internal {

/// The result may lie where operand 0 does.
class OneRow : public PreparedKernel {
 public:
  /// Of several formats that are offered the last operand's counts.
  OneRow(const OpCall& call, const Formats& offered) {
    Format common;
    for (const Format& format : offered.operands)
      if (format != nullptr) common = format;
    formats_.operands.assign(call.operand_count(), common);
    formats_.results = {common};
    count_ = common == nullptr ? element_count(call.shape(0))
                               : common->byte_count() / static_cast<int64_t>(sizeof(float));
    threads_ = worthwhile_threads(static_cast<double>(count_), count_);
  }
  const Formats& formats() const override { return formats_; }
  int reusable_operand() const override { return 0; }

 protected:
  /// Sets every element i to value(i), which may read elements i alone.
  template <typename Value>
  void set_each(Tensor& result, Value value) const {
    float* out = mutable_floats_of(result);
    parallel_ranges(count_, threads_, [=](int64_t begin, int64_t end) {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC ivdep
#endif
      for (int64_t i = begin; i < end; ++i) out[i] = value(i);
    });
  }

 private:
  Formats formats_;
  int64_t count_ = 0;
  int threads_ = 1;
};

/// A kernel whose prepared form is Prepared(call, offered).
template <typename Prepared>
Kernel one_row_kernel() {
  return {
      .name = "vector",
      .device = DeviceKind::kCpu,
      .supports = f32_filled,
      .prepare = [](const OpCall& call, const Formats& offered) -> std::unique_ptr<PreparedKernel> {
        return std::make_unique<Prepared>(call, offered);
      }};
}

}  // namespace tessera::internal
