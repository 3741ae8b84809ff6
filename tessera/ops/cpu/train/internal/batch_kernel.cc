#include "tessera/ops/cpu/train/internal/batch_kernel.h"

#include "tessera/ops/cpu/internal/f32_only.h"

namespace tessera::internal {

BatchKernel::BatchKernel(const OpCall& call, const Formats& offered, std::span<const size_t> images,
                         const TensorType& statistics)
    : rows_(call, statistics),
      statistics_(element_count(statistics.shape())),
      threads_(
          worthwhile_threads(static_cast<double>(element_count(call.shape(0))), call.shape(0)[0])) {
  const Shape& shape = call.shape(0);
  const Format format = viewable(shape, offered.operands[0]);
  view_ = channel_view(shape, format);
  formats_.operands.resize(call.operand_count());
  for (const size_t i : images) formats_.operands[i] = format;
  for (const TensorType& result : call.results)
    formats_.results.push_back(result.shape() == shape ? format : nullptr);
}

const float* BatchKernel::in(std::span<const Tensor> operands, size_t i) {
  return floats_of(operands[i]);
}

float* BatchKernel::out(std::span<Tensor> results, size_t i) {
  return mutable_floats_of(results[i]);
}

Support batch_supports(const OpCall& call) {
  return f32_filled(call);
}

}  // namespace tessera::internal
