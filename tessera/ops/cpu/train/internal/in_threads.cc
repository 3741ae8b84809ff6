#include "tessera/ops/cpu/train/internal/in_threads.h"

#include "tessera/ops/cpu/internal/parallel.h"
#include "tessera/ops/registry.h"

namespace tessera::internal {
namespace {

class InThreads final : public PreparedKernel {
 public:
  InThreads(const Kernel& reference, const OpCall& call)
      : function_(reference.function),
        attrs_(call.attrs),
        operand_types_(call.operands.begin(), call.operands.end()),
        result_types_(call.results.begin(), call.results.end()) {
    formats_.operands.resize(call.operand_count());
    formats_.results.resize(call.results.size());
    count_ = element_count(call.shape(0));
    threads_ = worthwhile_threads(static_cast<double>(count_), count_);
  }

  const Formats& formats() const override { return formats_; }
  bool writes_in_place(size_t operand, size_t result) const override {
    return operand == (result == 0 ? 0 : 1 + result);
  }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const OpCall call{operand_types_, result_types_, attrs_, {}};
    parallel_ranges(count_, threads_, [&](int64_t begin, int64_t end) {
      std::vector<Tensor> in;
      std::vector<Tensor> out;
      for (size_t i = 0; i < operands.size(); ++i)
        in.push_back(operand_types_[i].global.empty() ? operands[i]
                                                      : part(operands[i], begin, end));
      for (const Tensor& result : results) out.push_back(part(result, begin, end));
      function_(call, in, out);
    });
  }

 private:
  static Tensor part(const Tensor& tensor, int64_t begin, int64_t end) {
    const int64_t size = byte_size(tensor.dtype());
    return Tensor::view(tensor.buffer(), tensor.byte_offset() + begin * size, tensor.dtype(),
                        {end - begin});
  }

  void (*function_)(const OpCall&, std::span<const Tensor>, std::span<Tensor>);
  Attrs attrs_;
  std::vector<TensorType> operand_types_;
  std::vector<TensorType> result_types_;
  Formats formats_;
  int64_t count_ = 0;
  int threads_ = 1;
};

}  // namespace

std::unique_ptr<PreparedKernel> prepare_in_threads(std::string_view op, const OpCall& call) {
  return std::make_unique<InThreads>(require_op(op).kernels.back(), call);
}

}  // namespace tessera::internal
