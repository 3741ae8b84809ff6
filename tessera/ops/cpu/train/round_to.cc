#include <bit>

#include "tessera/ops/cpu/internal/f32_only.h"
#include "tessera/ops/cpu/internal/parallel.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

// Selects instead of branches: the loops over these become vector instructions.

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

/// One long row in whatever format it lies in, whose padding stays 0.
class RoundTo final : public PreparedKernel {
 public:
  RoundTo(const OpCall& call, const Formats& offered)
      : is_f16_(call.attr<std::string>("dtype") == "f16") {
    const Format format = offered.operands.empty() ? nullptr : offered.operands[0];
    formats_ = {{format}, {format}};
    count_ = format == nullptr ? element_count(call.shape(0))
                               : format->byte_count() / static_cast<int64_t>(sizeof(float));
    threads_ = internal::worthwhile_threads(static_cast<double>(count_), count_);
  }
  const Formats& formats() const override { return formats_; }
  int reusable_operand() const override { return 0; }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const auto at = [](const Tensor& tensor) {
      return reinterpret_cast<const float*>(tensor.buffer()->data() + tensor.byte_offset());
    };
    const float* x = at(operands[0]);
    auto* y = const_cast<float*>(at(results[0]));
    internal::parallel_ranges(count_, threads_, [=, this](int64_t begin, int64_t end) {
      if (is_f16_)
        each(begin, end, [=](int64_t i) { y[i] = rounded_to_f16(x[i]); });
      else
        each(begin, end, [=](int64_t i) { y[i] = rounded_to_bf16(x[i]); });
    });
  }

 private:
  template <typename Function>
  static void each(int64_t begin, int64_t end, Function function) {
#pragma GCC ivdep
    for (int64_t i = begin; i < end; ++i) function(i);
  }

  Formats formats_;
  bool is_f16_;
  int64_t count_ = 0;
  int threads_ = 1;
};

}  // namespace

TESSERA_KERNEL(round_to, cpu_train) {
  return {
      .name = "vector",
      .device = DeviceKind::kCpu,
      .supports = internal::f32_filled,
      .prepare = [](const OpCall& call, const Formats& offered) -> std::unique_ptr<PreparedKernel> {
        return std::make_unique<RoundTo>(call, offered);
      },
      .position_independent = true};
}

}  // namespace tessera
