#include "tessera/ops/cpu/train/internal/norm_rows.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

class LayerNormGammaGrad final : public internal::DirectKernel {
 public:
  explicit LayerNormGammaGrad(const OpCall& call)
      : DirectKernel(call, 4.0 * static_cast<double>(element_count(call.shape(0))),
                     internal::norm_rows(call, call.shape(0)).outer),
        rows_(internal::norm_rows(call, call.shape(0))),
        epsilon_(call.attr<double>("epsilon")) {}

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const float* x = in(operands, 0);
    const float* gradient = in(operands, 1);
    const int64_t count = rows_.extent;
    std::vector<double> sums(static_cast<size_t>(threads_ * count), 0.0);
    internal::parallel_ranges(threads_, threads_, [&](int64_t first, int64_t last) {
      for (int64_t p = first; p < last; ++p) {
        double* mine = sums.data() + p * count;
        for (int64_t r = rows_.outer * p / threads_; r < rows_.outer * (p + 1) / threads_; ++r) {
          const float* row = x + r * count;
          const float* by = gradient + r * count;
          const auto [mean, scale] = internal::row_statistics(row, count, epsilon_);
          for (int64_t i = 0; i < count; ++i) mine[i] += (row[i] - mean) * scale * by[i];
        }
      }
    });
    for (int64_t i = 0; i < count; ++i) {
      double sum = 0;
      for (int64_t p = 0; p < threads_; ++p) sum += sums[static_cast<size_t>(p * count + i)];
      out(results)[i] = static_cast<float>(sum);
    }
  }

 private:
  internal::AxisView rows_;
  double epsilon_;
};

}  // namespace

TESSERA_KERNEL(layer_norm_gamma_grad, cpu_train) {
  return {.name = "vector",
          .device = DeviceKind::kCpu,
          .supports =
              [](const OpCall& call) { return internal::norm_rows_support(call, call.results[0]); },
          .prepare = [](const OpCall& call, const Formats&) -> std::unique_ptr<PreparedKernel> {
            return std::make_unique<LayerNormGammaGrad>(call);
          }};
}

}  // namespace tessera
