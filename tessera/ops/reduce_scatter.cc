#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/collective.h"

namespace tessera {
namespace {

void reduce_scatter(const internal::Collective& step, const Tensor& operand, Tensor& result) {
  std::vector<Tensor> parts;
  for (const Rank rank : step.ranks) {
    const Box theirs = local_box(step.after, step.global, rank);
    parts.push_back(internal::cut_out(operand, step.from, theirs));
  }
  step.group->reduce_scatter(parts, result, step.reduce_op());
}

}  // namespace

TESSERA_OP(reduce_scatter) {
  return internal::collective_op(
      "ReduceScatter",
      "Combines the partial values of the ranks along an axis; each keeps a part of the result.",
      internal::comm_kernel<reduce_scatter>());
}

}  // namespace tessera
