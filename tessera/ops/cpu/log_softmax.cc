#include "tessera/ops/cpu/internal/dnnl_softmax.h"

namespace tessera {
namespace {

internal::DnnlCall describe(const OpCall& call, const Formats&) {
  return internal::describe_softmax(call, true);
}

}  // namespace

TESSERA_KERNEL(log_softmax, cpu) {
  return internal::dnnl_kernel<describe>();
}

}  // namespace tessera
