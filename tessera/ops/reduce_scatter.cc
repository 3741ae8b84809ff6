#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/collective.h"

namespace tessera {
namespace {

internal::RunCollective plan_reduce_scatter(const internal::Collective& step) {
  std::vector<Box> boxes;
  for (const Rank rank : step.ranks) boxes.push_back(local_box(step.after, step.global, rank));
  return [&step, boxes = std::move(boxes), op = step.reduce_op()](const Tensor& operand,
                                                                  Tensor& result) {
    std::vector<Tensor> parts;
    for (const Box& box : boxes) parts.push_back(internal::cut_out(operand, step.from, box));
    step.group->reduce_scatter(parts, result, op);
  };
}

}  // namespace

TESSERA_OP(reduce_scatter) {
  return internal::collective_op(
      "ReduceScatter",
      "Combines the partial values of the ranks along an axis; each keeps a part of the result.",
      internal::comm_kernel<plan_reduce_scatter>());
}

}  // namespace tessera
