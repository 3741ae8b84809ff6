// Where the gradient of a pool goes when the image holds values that are no numbers, or equal ones:
// the fast kernel and the reference kernel agree.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tessera/ops/registry.h"

namespace tessera {
namespace {

Tensor gradient_by(const Kernel& kernel, const OpCall& call, std::span<const Tensor> operands) {
  std::vector<Tensor> results = {Tensor(DType::kF32, call.results[0].shape())};
  if (kernel.function != nullptr) {
    kernel.function(call, operands, results);
  } else {
    const auto prepared = kernel.prepare(call, {{nullptr, nullptr}, {nullptr}});
    prepared->run(operands, results);
  }
  return results[0];
}

TEST(MaxPoolGrad, GoesWhereTheReferenceKernelSendsItAlsoForNaN) {
  const OpDef& op = require_op("max_pool_grad");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> pool = {nan, -inf, -1, 0, 0, 2, inf};
  constexpr int64_t kSize = 8;
  for (const int64_t kernel : {2, 3}) {
    const int64_t pooled = kernel == 2 ? 4 : 3;
    Tensor x(DType::kF32, {64, 2, kSize, kSize}), gradient(DType::kF32, {64, 2, pooled, pooled});
    uint32_t state = 1;
    for (float& value : x.mutable_data<float>())
      value = pool[(state = state * 1664525 + 1013904223) % 1000003 % pool.size()];
    for (float value = 1; float& element : gradient.mutable_data<float>()) element = value++;
    const std::vector<TensorType> types = {{DType::kF32, x.shape()},
                                           {DType::kF32, gradient.shape()}};
    Attrs attrs;
    for (const AttrDef& attr : op.attrs) attrs.emplace(attr.name, attr.default_value);
    attrs["kernel"] = Ints{kernel, kernel};
    attrs["stride"] = Ints{2, 2};
    const OpCall call{types, std::span(types).first(1), attrs, {}};
    const std::vector<Tensor> operands = {x, gradient};
    ASSERT_EQ(op.kernels.size(), 2U);
    const Tensor wanted = gradient_by(op.kernels.back(), call, operands);
    const Tensor found = gradient_by(op.kernels.front(), call, operands);
    EXPECT_TRUE(std::ranges::equal(wanted.bytes(), found.bytes())) << kernel;
  }
}

}  // namespace
}  // namespace tessera
