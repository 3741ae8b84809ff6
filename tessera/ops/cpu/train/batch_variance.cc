#include "tessera/ops/cpu/train/internal/batch_kernel.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

class BatchVariance final : public internal::BatchKernel {
 public:
  BatchVariance(const OpCall& call, const Formats& offered)
      : BatchKernel(call, offered, std::array<size_t, 1>{0}, call.results[0]) {}

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const float* x = in(operands, 0);
    const float* mean = in(operands, 1);
    const std::vector<double> sums = sum<1>([&](int64_t at, int64_t s) {
      return [block = x + at, centre = mean + s](int64_t i, int64_t lane) {
        const float distance = block[i] - centre[lane];
        return std::array{distance * distance};
      };
    });
    float* variance = out(results, 0);
    for (int64_t s = 0; s < statistics_; ++s)
      variance[s] = static_cast<float>(sums[static_cast<size_t>(s)] / rows_.count());
  }
};

}  // namespace

TESSERA_KERNEL(batch_variance, cpu_train) {
  return internal::batch_kernel<BatchVariance>();
}

}  // namespace tessera
