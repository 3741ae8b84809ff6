#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/collective.h"

namespace tessera {
namespace {

void all_gather(const internal::Collective& step, const Tensor& operand, Tensor& result) {
  std::vector<Box> boxes;
  std::vector<Tensor> parts;
  for (const Rank rank : step.ranks) {
    boxes.push_back(local_box(step.before, step.global, rank));
    parts.emplace_back(step.dtype, boxes.back().size);
  }
  step.group->all_gather(operand, parts);
  for (size_t i = 0; i < parts.size(); ++i) internal::paste(parts[i], boxes[i], result, step.to);
}

}  // namespace

TESSERA_OP(all_gather) {
  return internal::collective_op("AllGather", "The ranks along an axis get what all of them hold.",
                                 internal::comm_kernel<all_gather>());
}

}  // namespace tessera
