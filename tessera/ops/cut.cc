#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/collective.h"

namespace tessera {
namespace {

void cut(const internal::Collective& step, const Tensor& operand, Tensor& result) {
  internal::paste(internal::cut_out(operand, step.from, step.to), step.to, result, step.to);
}

}  // namespace

TESSERA_OP(cut) {
  return internal::collective_op("StridedSlice",
                                 "Every rank keeps its part of what it has; nothing moves.",
                                 internal::comm_kernel<cut>());
}

}  // namespace tessera
