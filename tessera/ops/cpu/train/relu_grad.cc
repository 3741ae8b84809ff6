#include "tessera/ops/cpu/internal/f32_only.h"
#include "tessera/ops/cpu/internal/parallel.h"
#include "tessera/ops/cpu/train/internal/channel_view.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

/// One long row: both lie in the same format, whose padding stays 0 as y is 0 there.
class ReluGrad final : public PreparedKernel {
 public:
  ReluGrad(const OpCall& call, const Formats& offered) {
    const Format format =
        offered.operands[1] != nullptr ? offered.operands[1] : offered.operands[0];
    formats_ = {{format, format}, {format}};
    count_ = format == nullptr ? element_count(call.shape(0))
                               : format->byte_count() / static_cast<int64_t>(sizeof(float));
    threads_ = internal::worthwhile_threads(static_cast<double>(count_), count_);
  }
  const Formats& formats() const override { return formats_; }
  int reusable_operand() const override { return 0; }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const auto at = [](const Tensor& tensor) {
      return reinterpret_cast<const float*>(tensor.buffer()->data() + tensor.byte_offset());
    };
    const float* gradient = at(operands[0]);
    const float* y = at(operands[1]);
    auto* out = const_cast<float*>(at(results[0]));
    // The result may lie where the gradient does: an element is read before its own is written.
    internal::parallel_ranges(count_, threads_, [=](int64_t begin, int64_t end) {
#pragma GCC ivdep
      for (int64_t i = begin; i < end; ++i) {
        const float passed = gradient[i];
        out[i] = y[i] > 0 ? passed : 0.0F;
      }
    });
  }

 private:
  Formats formats_;
  int64_t count_;
  int threads_;
};

}  // namespace

TESSERA_KERNEL(relu_grad, cpu_train) {
  return {
      .name = "vector",
      .device = DeviceKind::kCpu,
      .supports = internal::f32_filled,
      .prepare = [](const OpCall& call, const Formats& offered) -> std::unique_ptr<PreparedKernel> {
        return std::make_unique<ReluGrad>(call, offered);
      }};
}

}  // namespace tessera
