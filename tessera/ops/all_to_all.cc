#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/collective.h"

namespace tessera {
namespace {

internal::RunCollective plan_all_to_all(const internal::Collective& step) {
  std::vector<Box> to;
  std::vector<Box> from;
  for (const Rank rank : step.ranks) {
    to.push_back(intersect(step.from, local_box(step.after, step.global, rank)));
    from.push_back(intersect(local_box(step.before, step.global, rank), step.to));
  }
  return
      [&step, to = std::move(to), from = std::move(from)](const Tensor& operand, Tensor& result) {
        std::vector<Tensor> send;
        std::vector<Tensor> receive;
        for (const Box& box : to) send.push_back(internal::cut_out(operand, step.from, box));
        for (const Box& box : from) receive.emplace_back(step.dtype, box.size);
        step.group->all_to_all(send, receive);
        for (size_t i = 0; i < receive.size(); ++i)
          internal::paste(receive[i], from[i], result, step.to);
      };
}

}  // namespace

TESSERA_OP(all_to_all) {
  return internal::collective_op("AlltoAll",
                                 "An axis leaves one dim and cuts another: each rank of it sends "
                                 "every other the part that is now theirs.",
                                 internal::comm_kernel<plan_all_to_all>());
}

}  // namespace tessera
