#include <cstring>

#include "tessera/ops/cpu/internal/parallel.h"
#include "tessera/ops/cpu/nhwc/internal/channels_last.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"

namespace tessera {
namespace {

Support supports(const OpCall& call) {
  if (call.shape(0).size() != 4 || internal::wrap_axis(call.attr<int64_t>("axis"), 4) != 1) {
    return Support::no("made for the channels of images");
  }
  return internal::channels_last_supports(call);
}

Support suits(const OpCall& call, const Formats& offered) {
  for (size_t i = 0; i < call.operand_count(); ++i) {
    if (Support support = internal::offered_channels_last(call, offered, i); !support.ok) {
      return support;
    }
  }
  return Support::yes();
}

std::vector<Format> formats_of(const OpCall& call) {
  std::vector<Format> formats;
  for (const TensorType& type : call.operands) {
    formats.push_back(internal::channels_last(type.shape()));
  }
  return formats;
}

class PreparedConcat final : public internal::ChannelsLastKernel {
 public:
  explicit PreparedConcat(const OpCall& call) : ChannelsLastKernel(call, formats_of(call)) {
    const Shape& shape = call.results[0].shape();
    pixels_ = shape[0] * shape[2] * shape[3];
    for (const TensorType& type : call.operands) channels_.push_back(type.shape()[1]);
    threads_ = internal::worthwhile_threads(static_cast<double>(element_count(shape)), pixels_);
  }

  int64_t operand_channel(size_t operand) const override {
    int64_t before = 0;
    for (size_t i = 0; i < operand; ++i) before += channels_[i];
    return before;
  }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    internal::parallel_ranges(pixels_, threads_, [&](int64_t begin, int64_t end) {
      float* to = out(results);
      for (size_t i = 0; i < operands.size(); to += channels_[i++]) {
        if (!operands[i].is_defined()) continue;  // it lies there already
        const float* from = in(operands, i);
        const auto bytes = static_cast<size_t>(channels_[i]) * sizeof(float);
        for (int64_t p = begin; p < end; ++p) {
          std::memcpy(to + p * out_pitch_, from + p * channels_[i], bytes);
        }
      }
    });
  }

 private:
  int64_t pixels_;
  std::vector<int64_t> channels_;
  int threads_;
};

}  // namespace

TESSERA_KERNEL(concat, cpu_nhwc) {
  return {.name = "nhwc",
          .supports = supports,
          .suits = suits,
          .prepare = [](const OpCall& call, const Formats&) -> std::unique_ptr<PreparedKernel> {
            return std::make_unique<PreparedConcat>(call);
          }};
}

}  // namespace tessera
