#include <cmath>

#include "tessera/ops/cpu/train/internal/batch_kernel.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

class BatchNormSumsGrad final : public internal::BatchKernel {
 public:
  BatchNormSumsGrad(const OpCall& call, const Formats& offered)
      : BatchKernel(call, offered, std::array<size_t, 2>{0, 3}, call.operands[1]),
        epsilon_(call.attr<double>("epsilon")) {}

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const float* x = in(operands, 0);
    const float* mean = in(operands, 1);
    const float* g = in(operands, 3);
    const std::vector<double> sums = sum<2>([&](int64_t at, int64_t s) {
      return [block = x + at, gradient = g + at, centre = mean + s](int64_t i, int64_t lane) {
        return std::array{gradient[i], gradient[i] * (block[i] - centre[lane])};
      };
    });
    for (int64_t s = 0; s < statistics_; ++s) {
      const double deviation = std::sqrt(in(operands, 2)[s] + epsilon_);
      out(results, 0)[s] = static_cast<float>(sums[static_cast<size_t>(s)]);
      out(results, 1)[s] =
          static_cast<float>(sums[static_cast<size_t>(statistics_ + s)] / deviation);
    }
  }

 private:
  double epsilon_;
};

}  // namespace

TESSERA_KERNEL(batch_norm_sums_grad, cpu_train) {
  return internal::batch_kernel<BatchNormSumsGrad>();
}

}  // namespace tessera
