// What the kernels of this folder share as kernels: tensors [n,c,h,w] whose memory is channels
// last, in the format that oneDNN calls nhwc, so that both may read what the other wrote.
#pragma once

#include "tessera/graph/kernel.h"
#include "tessera/ops/cpu/internal/direct.h"
#include "tessera/ops/cpu/internal/f32_only.h"

namespace tessera::internal {

/// Null where it is row-major too.
Format channels_last(const Shape& shape);

/// Yes when operand `i` is offered channels last: kernels that only move and compare what others
/// computed do not ask for another format.
Support offered_channels_last(const OpCall& call, const Formats& offered, size_t i);

/// Yes when all is whole f32 tensors with elements, and the processor has vectors.
Support channels_last_supports(const OpCall& call);

/// A prepared kernel that may leave its result as some channels of wider pixels.
class ChannelsLastKernel : public PreparedKernel {
 public:
  ChannelsLastKernel(const OpCall& call, std::vector<Format> operands);

  const Formats& formats() const override { return formats_; }
  bool write_into(int64_t channels) override;

 protected:
  static const float* in(std::span<const Tensor> operands, size_t i) {
    return floats_of(operands[i]);
  }
  static float* out(std::span<Tensor> results) { return mutable_floats_of(results[0]); }
  int64_t out_pitch_;  // floats from pixel to pixel of the result

 private:
  Formats formats_;
};

}  // namespace tessera::internal
