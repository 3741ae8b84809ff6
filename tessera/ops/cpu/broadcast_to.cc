#include <algorithm>

#include "tessera/ops/cpu/internal/f32_only.h"
#include "tessera/ops/cpu/internal/parallel.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/walk.h"

namespace tessera {
namespace {

/// Runs of one element, or of elements that follow each other, one after the other.
class BroadcastTo final : public PreparedKernel {
 public:
  explicit BroadcastTo(const OpCall& call) : rows_(call.results[0].shape()) {
    strides_ = internal::broadcast_strides(call.shape(0), rows_);
    // Trailing dims that all repeat, or all follow, are one run.
    size_t d = rows_.size();
    repeats_ = d > 0 && strides_[d - 1] == 0;
    while (d > 0 &&
           (rows_[d - 1] == 1 || (repeats_ ? strides_[d - 1] == 0 : strides_[d - 1] == run_))) {
      run_ *= rows_[--d];
      rows_[d] = 1;
    }
    formats_.operands.resize(1);
    formats_.results.resize(1);
  }
  const Formats& formats() const override { return formats_; }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const float* x = internal::floats_of(operands[0]);
    float* y = internal::mutable_floats_of(results[0]);
    internal::walk<1>(rows_, {strides_}, [&](const std::array<int64_t, 1>& at) {
      if (repeats_)
        std::fill_n(y, run_, x[at[0]]);
      else
        std::copy_n(x + at[0], run_, y);
      y += run_;
    });
  }

 private:
  Shape rows_;  // of runs
  Shape strides_;
  int64_t run_ = 1;
  bool repeats_ = false;
  Formats formats_;
};

}  // namespace

TESSERA_KERNEL(broadcast_to, cpu) {
  return {.name = "runs",
          .device = DeviceKind::kCpu,
          .supports = internal::f32_filled,
          .prepare = [](const OpCall& call, const Formats&) -> std::unique_ptr<PreparedKernel> {
            return std::make_unique<BroadcastTo>(call);
          },
          .position_independent = true};
}

}  // namespace tessera
