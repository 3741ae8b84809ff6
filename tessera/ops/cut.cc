#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/collective.h"

namespace tessera {
namespace {

internal::RunCollective plan_cut(const internal::Collective& step) {
  return [&step](const Tensor& operand, Tensor& result) {
    internal::paste(internal::view_of(operand, step.from, step.to), step.to, result, step.to);
  };
}

}  // namespace

TESSERA_OP(cut) {
  return internal::collective_op("StridedSlice",
                                 "Every rank keeps its part of what it has; nothing moves.",
                                 internal::comm_kernel<plan_cut>());
}

}  // namespace tessera
