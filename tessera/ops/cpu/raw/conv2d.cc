#include "tessera/ops/cpu/nhwc/internal/conv_kernel.h"
#include "tessera/ops/cpu/raw/internal/raw_conv.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

using namespace internal;  // NOLINT: the words of this folder

Support supports(const OpCall& call) {
  if (Support support = packed_conv_supports(call); !support.ok) return support;
  if (call.shape(0)[1] < WindowConv::kFewChannels) {
    return Support::no("made for 16 input channels and more");
  }
  const int64_t pixels =
      call.results[0].shape()[0] * call.results[0].shape()[2] * call.results[0].shape()[3];
  return raw_supports(call.shape(1), pixels);
}

}  // namespace

TESSERA_KERNEL(conv2d, cpu_raw) {
  return {.name = "raw",
          .supports = supports,
          .prepare =
              [](const OpCall& call, const Formats&) {
                const Simd simd = available_simd();
                return prepare_raw_conv(call, conv_of(call, simd),
                                        fastest_packing(call, simd, true));
              },
          .takes_constants_packed = true,
          .for_one_run = true};
}

}  // namespace tessera
