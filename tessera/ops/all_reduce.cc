#include <cstring>

#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/collective.h"

namespace tessera {
namespace {

internal::RunCollective plan_all_reduce(const internal::Collective& step) {
  return [&step, op = step.reduce_op()](const Tensor& operand, Tensor& result) {
    const auto from = operand.bytes();
    const auto to = result.mutable_bytes();
    if (from.data() != to.data()) std::memcpy(to.data(), from.data(), from.size());
    step.group->all_reduce(result, op);
  };
}

}  // namespace

TESSERA_OP(all_reduce) {
  return internal::collective_op(
      "AllReduce", "Combines the partial values of the ranks along an axis; all get the result.",
      internal::comm_kernel<plan_all_reduce, true>());
}

}  // namespace tessera
