#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/collective.h"

namespace tessera {
namespace {

internal::RunCollective plan_all_gather(const internal::Collective& step) {
  std::vector<Box> boxes;
  for (const Rank rank : step.ranks) boxes.push_back(local_box(step.before, step.global, rank));
  return [&step, boxes = std::move(boxes)](const Tensor& operand, Tensor& result) {
    std::vector<Tensor> parts;
    for (const Box& box : boxes) parts.emplace_back(step.dtype, box.size);
    step.group->all_gather(operand, parts);
    for (size_t i = 0; i < parts.size(); ++i) internal::paste(parts[i], boxes[i], result, step.to);
  };
}

}  // namespace

TESSERA_OP(all_gather) {
  return internal::collective_op("AllGather", "The ranks along an axis get what all of them hold.",
                                 internal::comm_kernel<plan_all_gather>());
}

}  // namespace tessera
