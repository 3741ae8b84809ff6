#include "tessera/ops/cpu/internal/direct_kernel.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"

namespace tessera {
namespace {

/// Rows of the table as a thread owns them: each reads all indices and takes its own.
class EmbeddingGrad final : public internal::DirectKernel {
 public:
  explicit EmbeddingGrad(const OpCall& call)
      : DirectKernel(call, static_cast<double>(element_count(call.shape(1))),
                     call.results[0].shape()[0]),
        rows_(call.attr<int64_t>("rows")),
        begin_(call.results[0].box.begin[0]),
        table_(internal::axis_view(call.results[0].shape(), 0)) {}

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const Tensor indices = operands[0].cast(DType::kI64);
    const std::span<const int64_t> all = indices.data<int64_t>();
    for (const int64_t index : all)
      require(index >= -rows_ && index < rows_, "index {} is not in [{}, {})", index, -rows_,
              rows_);
    const float* gradient = in(operands, 1);
    float* table = out(results);
    const int64_t width = table_.inner;
    internal::parallel_ranges(table_.extent, threads_, [&](int64_t first, int64_t last) {
      std::fill(table + first * width, table + last * width, 0.0F);
      for (size_t k = 0; k < all.size(); ++k) {
        const int64_t row = (all[k] < 0 ? all[k] + rows_ : all[k]) - begin_;
        if (row < first || row >= last) continue;
        const float* from = gradient + static_cast<int64_t>(k) * width;
        for (int64_t i = 0; i < width; ++i) table[row * width + i] += from[i];
      }
    });
  }

 private:
  int64_t rows_;
  int64_t begin_;  // of what is here of the table
  internal::AxisView table_;
};

Support supports(const OpCall& call) {
  if (call.operands[1].dtype != DType::kF32 || element_count(call.results[0].shape()) == 0)
    return Support::no("no f32 elements");
  const size_t ndim = call.results[0].global.size();
  return internal::wrap_axis(call.attr<int64_t>("axis"), ndim) == 0
             ? Support::yes()
             : Support::no("the rows are not dim 0");
}

}  // namespace

TESSERA_KERNEL(embedding_grad, cpu_train) {
  return {.name = "vector",
          .device = DeviceKind::kCpu,
          .supports = supports,
          .prepare = [](const OpCall& call, const Formats&) -> std::unique_ptr<PreparedKernel> {
            return std::make_unique<EmbeddingGrad>(call);
          }};
}

}  // namespace tessera
