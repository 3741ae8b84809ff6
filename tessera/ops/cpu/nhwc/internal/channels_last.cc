#include "tessera/ops/cpu/nhwc/internal/channels_last.h"

#include "tessera/ops/cpu/internal/direct_kernel.h"
#include "tessera/ops/cpu/internal/dnnl_format.h"

namespace tessera::internal {

Format channels_last(const Shape& shape) {
  if (shape[1] == 1 || shape[2] * shape[3] == 1) return nullptr;
  return format_of(
      DnnlDesc(dims_of(shape), dnnl::memory::data_type::f32, dnnl::memory::format_tag::nhwc));
}

Support offered_channels_last(const OpCall& call, const Formats& offered, size_t i) {
  const Shape& shape = call.shape(i);
  if (shape.size() == 4 && same_format(offered.operands[i], channels_last(shape))) {
    return Support::yes();
  }
  return Support::no("its operand does not lie channels last");
}

Support channels_last_supports(const OpCall& call) {
  return direct_supports(call);
}

ChannelsLastKernel::ChannelsLastKernel(const OpCall& call, std::vector<Format> operands)
    : out_pitch_(call.results[0].shape()[1]) {
  formats_.operands = std::move(operands);
  const Shape& shape = call.results[0].shape();
  formats_.results.push_back(shape.size() == 4 ? channels_last(shape) : nullptr);
}

bool ChannelsLastKernel::write_into(int64_t channels) {
  out_pitch_ = channels;
  return true;
}

}  // namespace tessera::internal
