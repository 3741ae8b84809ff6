#include "tessera/ops/cpu/train/internal/norm_rows.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

class LayerNormGrad final : public internal::DirectKernel {
 public:
  explicit LayerNormGrad(const OpCall& call)
      : DirectKernel(call, 4.0 * static_cast<double>(element_count(call.shape(0))),
                     internal::norm_rows(call, call.shape(0)).outer),
        rows_(internal::norm_rows(call, call.shape(0))),
        epsilon_(call.attr<double>("epsilon")) {}

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const float* x = in(operands, 0);
    const float* gamma = in(operands, 1);
    const float* gradient = in(operands, 2);
    float* to = out(results);
    const int64_t count = rows_.extent;
    internal::parallel_ranges(rows_.outer, threads_, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r)
        row(x + r * count, gamma, gradient + r * count, to + r * count);
    });
  }

 private:
  void row(const float* x, const float* gamma, const float* gradient, float* to) const {
    const int64_t count = rows_.extent;
    const auto [mean, scale] = internal::row_statistics(x, count, epsilon_);
    const auto [sum, product] = internal::wide_sums<2>(count, [=, middle = mean](int64_t i) {
      const float g = gradient[i] * gamma[i];
      return std::array{g, g * (x[i] - middle)};
    });
    const float share = sum / static_cast<float>(count);
    const float slope = product * scale * scale / static_cast<float>(count);
    for (int64_t i = 0; i < count; ++i)
      to[i] = scale * (gradient[i] * gamma[i] - share - (x[i] - mean) * slope);
  }

  internal::AxisView rows_;
  double epsilon_;
};

}  // namespace

TESSERA_KERNEL(layer_norm_grad, cpu_train) {
  return {
      .name = "vector",
      .device = DeviceKind::kCpu,
      .supports =
          [](const OpCall& call) { return internal::norm_rows_support(call, call.operands[1]); },
      .prepare = [](const OpCall& call, const Formats&) -> std::unique_ptr<PreparedKernel> {
        return std::make_unique<LayerNormGrad>(call);
      }};
}

}  // namespace tessera
