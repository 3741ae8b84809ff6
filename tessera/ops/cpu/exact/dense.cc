#include "tessera/ops/cpu/internal/exact_kernel.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

using internal::MatrixShape;

MatrixShape input_shape(const OpCall& call) {
  const Shape& x = call.shape(0);
  int64_t rows = 1;
  for (size_t d = 0; d + 1 < x.size(); ++d) rows *= x[d];
  return {rows, x.back(), x.back(), 1};
}

MatrixShape weight_shape(const OpCall& call) {
  const Shape& weight = call.shape(1);
  return {weight[1], weight[0], 1, weight[1]};
}

class PreparedDense final : public internal::DirectKernel {
 public:
  explicit PreparedDense(const OpCall& call)
      : DirectKernel(call, 0, 1),
        attrs_(call.attrs),
        matrices_(input_shape(call), weight_shape(call)) {
    if (const float* weight = internal::known_elements(call, 1)) matrices_.keep(weight);
  }

  std::string detail() const override { return matrices_.detail(); }
  int64_t kept_bytes() const override { return matrices_.kept_bytes(); }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    matrices_.run(operands[0].data<float>().data(), operands[1].data<float>().data(),
                  internal::exact_end(attrs_, operands), results[0].mutable_data<float>().data());
  }

 private:
  Attrs attrs_;
  internal::ExactMatrices matrices_;
};

}  // namespace

TESSERA_KERNEL(dense, cpu_exact) {
  return internal::exact_kernel<PreparedDense>();
}

}  // namespace tessera
