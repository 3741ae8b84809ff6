#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/collective.h"

namespace tessera {
namespace {

void all_to_all(const internal::Collective& step, const Tensor& operand, Tensor& result) {
  std::vector<Box> boxes;
  std::vector<Tensor> send;
  std::vector<Tensor> receive;
  for (const Rank rank : step.ranks) {
    const Box theirs = local_box(step.after, step.global, rank);
    send.push_back(internal::cut_out(operand, step.from, intersect(step.from, theirs)));
    boxes.push_back(intersect(local_box(step.before, step.global, rank), step.to));
    receive.emplace_back(step.dtype, boxes.back().size);
  }
  step.group->all_to_all(send, receive);
  for (size_t i = 0; i < receive.size(); ++i)
    internal::paste(receive[i], boxes[i], result, step.to);
}

}  // namespace

TESSERA_OP(all_to_all) {
  return internal::collective_op("AlltoAll",
                                 "An axis leaves one dim and cuts another: each rank of it sends "
                                 "every other the part that is now theirs.",
                                 internal::comm_kernel<all_to_all>());
}

}  // namespace tessera
