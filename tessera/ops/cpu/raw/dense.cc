#include "tessera/ops/cpu/nhwc/internal/dense_kernel.h"
#include "tessera/ops/cpu/raw/internal/raw_conv.h"
#include "tessera/ops/define_op.h"

namespace tessera {
namespace {

using namespace internal;  // NOLINT: the words of this folder

Support supports(const OpCall& call) {
  if (Support support = packed_dense_supports(call); !support.ok) return support;
  if (call.results[0].shape().size() != 2) return Support::no("made for rows in two dims");
  const int64_t pixels = element_count(call.results[0].shape()) / call.shape(1)[0];
  return raw_supports(call.shape(1), pixels);
}

}  // namespace

TESSERA_KERNEL(dense, cpu_raw) {
  return {.name = "raw",
          .supports = supports,
          .prepare =
              [](const OpCall& call, const Formats&) {
                return prepare_raw_conv(call, dense_as_conv(call, available_simd()),
                                        Packing::kTiles);
              },
          .takes_constants_packed = true,
          .for_one_run = true};
}

}  // namespace tessera
