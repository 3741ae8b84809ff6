#include "tessera/ops/cpu/internal/exact_kernel.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/matrix.h"
#include "tessera/ops/internal/walk.h"

namespace tessera {
namespace {

class PreparedMatmul final : public internal::DirectKernel {
 public:
  explicit PreparedMatmul(const OpCall& call)
      : DirectKernel(call, 0, 1), attrs_(call.attrs), views_(call), matrices_(views_.a, views_.b) {
    const float* b = internal::known_elements(call, 1);
    if (b != nullptr && call.shape(1).size() <= 2) matrices_.keep(b);
  }

  std::string detail() const override { return matrices_.detail(); }
  int64_t kept_bytes() const override { return matrices_.kept_bytes(); }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const float* a = operands[0].data<float>().data();
    const float* b = operands[1].data<float>().data();
    float* out = results[0].mutable_data<float>().data();
    internal::ExactEnd end = internal::exact_end(attrs_, operands);
    const int64_t size = views_.a.rows * views_.b.columns;
    internal::walk<2>(views_.batch, {views_.a_strides, views_.b_strides},
                      [&](const std::array<int64_t, 2>& first) {
                        matrices_.run(a + first[0], b + first[1], end, out);
                        out += size;
                        if (end.residual != nullptr) end.residual += size;
                      });
  }

 private:
  Attrs attrs_;
  internal::MatmulViews views_;
  internal::ExactMatrices matrices_;
};

}  // namespace

TESSERA_KERNEL(matmul, cpu_exact) {
  return internal::exact_kernel<PreparedMatmul>();
}

}  // namespace tessera
