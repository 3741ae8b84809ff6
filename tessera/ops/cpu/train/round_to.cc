#include <bit>

#include "tessera/ops/cpu/train/internal/one_row.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

// What the conversions of tensor/half.h give and take back, without their branches: the loops over
// these become vector instructions.

inline float rounded_to_bf16(float value) {
  const auto x = std::bit_cast<uint32_t>(value);
  const bool is_nan = (x & 0x7FFFFFFFU) > 0x7F800000U;
  const uint32_t rounded = x + 0x7FFFU + (x >> 16 & 1U);
  return std::bit_cast<float>((is_nan ? x | 0x400000U : rounded) & 0xFFFF0000U);
}

inline float rounded_to_f16(float value) {
  const auto x = std::bit_cast<uint32_t>(value);
  const uint32_t sign = x & 0x80000000U;
  const uint32_t magnitude = x & 0x7FFFFFFFU;
  const uint32_t normal = (magnitude + 0xFFFU + (magnitude >> 13 & 1U)) & ~0x1FFFU;
  // Below 2^-14 f16 has steps of 2^-24: so have f32 numbers from 0.5 on.
  const uint32_t small = std::bit_cast<uint32_t>((std::bit_cast<float>(magnitude) + 0.5F) - 0.5F);
  uint32_t rounded = magnitude < 0x38800000U ? small : normal;
  rounded = magnitude >= 0x477FF000U ? 0x7F800000U : rounded;
  rounded = magnitude > 0x7F800000U ? (magnitude | 0x400000U) & ~0x1FFFU : rounded;
  return std::bit_cast<float>(sign | rounded);
}

class RoundTo final : public internal::OneRow {
 public:
  RoundTo(const OpCall& call, const Formats& offered)
      : OneRow(call, offered), is_f16_(call.attr<std::string>("dtype") == "f16") {}

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const float* x = internal::floats_of(operands[0]);
    if (is_f16_)
      set_each(results[0], [=](int64_t i) { return rounded_to_f16(x[i]); });
    else
      set_each(results[0], [=](int64_t i) { return rounded_to_bf16(x[i]); });
  }

 private:
  bool is_f16_;
};

}  // namespace

TESSERA_KERNEL(round_to, cpu_train) {
  Kernel kernel = internal::one_row_kernel<RoundTo>();
  kernel.position_independent = true;
  return kernel;
}

}  // namespace tessera
