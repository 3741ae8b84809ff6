#include "tessera/ops/cpu/train/internal/batch_kernel.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

class BatchMean final : public internal::BatchKernel {
 public:
  BatchMean(const OpCall& call, const Formats& offered)
      : BatchKernel(call, offered, std::array<size_t, 1>{0}, call.results[0]) {}

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const float* x = in(operands, 0);
    const std::vector<double> sums = sum<1>([&](int64_t at, int64_t) {
      return [block = x + at](int64_t i, int64_t) { return std::array{block[i]}; };
    });
    float* mean = out(results, 0);
    for (int64_t s = 0; s < statistics_; ++s)
      mean[s] = static_cast<float>(sums[static_cast<size_t>(s)] / rows_.count());
  }
};

}  // namespace

TESSERA_KERNEL(batch_mean, cpu_train) {
  return internal::batch_kernel<BatchMean>();
}

}  // namespace tessera
