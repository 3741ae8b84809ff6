// The vector kernel of round_to against the conversions of tensor/half.h.
#include <gtest/gtest.h>

#include <array>
#include <bit>

#include "tessera/ops/registry.h"
#include "tessera/tensor/half.h"

namespace tessera {
namespace {

/// Every sign, exponent and first seven bits of a fraction, with what lies around their ties.
Tensor many_floats() {
  constexpr std::array<uint32_t, 12> kLow = {0,      1,      0x0FFF, 0x1000, 0x1001, 0x1FFF,
                                             0x3000, 0x5000, 0x7FFF, 0x8000, 0x8001, 0xFFFF};
  Tensor values(DType::kF32, {int64_t{1} << 16, std::ssize(kLow)});
  std::span<float> x = values.mutable_data<float>();
  for (uint32_t high = 0; high < 1U << 16; ++high)
    for (size_t i = 0; i < kLow.size(); ++i)
      x[high * kLow.size() + i] = std::bit_cast<float>(high << 16 | kLow[i]);
  return values;
}

class RoundTo : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Each, RoundTo, ::testing::Values("bf16", "f16"));

TEST_P(RoundTo, TheVectorKernelHasTheBitsOfTheConversions) {
  const OpDef& op = require_op("round_to");
  ASSERT_EQ(op.kernels.size(), 2U);
  const Tensor x = many_floats();
  Tensor y(DType::kF32, x.shape());
  const TensorType type(DType::kF32, x.shape());
  const Attrs attrs = {{"dtype", GetParam()}};
  const OpCall call{std::span(&type, 1), std::span(&type, 1), attrs, {}};
  const auto kernel = op.kernels.front().prepare(call, {{nullptr}, {nullptr}});
  kernel->run(std::span(&x, 1), std::span(&y, 1));
  const std::span<const float> from = x.data<float>(), found = y.data<float>();
  int wrong = 0;
  for (size_t i = 0; i < from.size() && wrong < 5; ++i) {
    const float wanted = GetParam() == "f16" ? static_cast<float>(Half(from[i]))
                                             : static_cast<float>(BFloat16(from[i]));
    const auto bits = std::bit_cast<uint32_t>(found[i]);
    if (bits == std::bit_cast<uint32_t>(wanted)) continue;
    ++wrong;
    ADD_FAILURE() << std::hex << std::bit_cast<uint32_t>(from[i]) << " became " << bits
                  << " instead of " << std::bit_cast<uint32_t>(wanted);
  }
}

}  // namespace
}  // namespace tessera
