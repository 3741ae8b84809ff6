#include "tessera/ops/cpu/internal/parallel.h"
#include "tessera/ops/cpu/train/internal/label_rows.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

class CrossEntropyGrad final : public PreparedKernel {
 public:
  explicit CrossEntropyGrad(const OpCall& call)
      : formats_{{nullptr, nullptr, nullptr}, {nullptr}},
        rows_(call.shape(0)[0]),
        classes_(call.shape(0)[1]),
        threads_(internal::worthwhile_threads(8.0 * static_cast<double>(rows_ * classes_), rows_)) {
  }
  const Formats& formats() const override { return formats_; }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const std::vector<int64_t> labels = internal::checked_labels(operands[1], classes_);
    const float* logits = operands[0].data<float>().data();
    const float* gradient = operands[2].data<float>().data();
    float* out = results[0].mutable_data<float>().data();
    internal::parallel_ranges(rows_, threads_, [&](int64_t begin, int64_t end) {
      std::vector<double> shares(static_cast<size_t>(classes_));
      for (int64_t n = begin; n < end; ++n) {
        const double sum =
            internal::exponentials(logits + n * classes_, classes_, shares.data()).sum;
        const int64_t label = labels[static_cast<size_t>(n)];
        const auto scale = static_cast<double>(gradient[n]);
        float* to = out + n * classes_;
        for (int64_t c = 0; c < classes_; ++c)
          to[c] = static_cast<float>(scale *
                                     (shares[static_cast<size_t>(c)] / sum - (c == label ? 1 : 0)));
      }
    });
  }

 private:
  Formats formats_;
  int64_t rows_;
  int64_t classes_;
  int threads_;
};

}  // namespace

TESSERA_KERNEL(sparse_softmax_cross_entropy_grad, cpu_train) {
  return {.name = "vector",
          .device = DeviceKind::kCpu,
          .supports = internal::f32_logits,
          .prepare = [](const OpCall& call, const Formats&) -> std::unique_ptr<PreparedKernel> {
            return std::make_unique<CrossEntropyGrad>(call);
          }};
}

}  // namespace tessera
