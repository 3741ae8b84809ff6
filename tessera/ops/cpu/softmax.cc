#include "tessera/ops/cpu/internal/dnnl_softmax.h"

namespace tessera {
namespace {

internal::DnnlCall describe(const OpCall& call, const Formats&) {
  return internal::describe_softmax(call, false);
}

}  // namespace

TESSERA_KERNEL(softmax, cpu) {
  return internal::dnnl_kernel<describe>();
}

}  // namespace tessera
