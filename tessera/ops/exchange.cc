#include "tessera/layout/exchange.h"
#include "tessera/comm/combine.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/collective.h"

namespace tessera {
namespace {

/// A part that moves between this rank and another, of one term of the sum that the values are.
struct Part {
  size_t term = 0;
  Box box;
};
using Parts = std::vector<Part>;

/// What moves in a run, per rank of the group, in the order in which both ends pack it.
struct ExchangePlan {
  std::vector<Parts> send;
  std::vector<Parts> receive;
  size_t terms = 0;  // of which this rank's box is the sum; 0: it has none of the result
};

Parts parts_from(const std::vector<std::vector<Receive>>& terms, Rank source) {
  Parts parts;
  for (size_t t = 0; t < terms.size(); ++t)
    for (const Receive& part : terms[t])
      if (part.source == source) parts.push_back({t, part.box});
  return parts;
}

int64_t byte_count(const Parts& parts, DType dtype) {
  int64_t elements = 0;
  for (const Part& part : parts) elements += element_count(part.box.size);
  return elements * byte_size(dtype);
}

ExchangePlan make_plan(const internal::Collective& step) {
  const auto terms_of = [&](Rank rank) {
    return exchange_parts(step.before, step.after, step.global, rank);
  };
  const auto is_there = [&](Rank rank) { return step.after.mesh->find_place(rank).has_value(); };
  ExchangePlan plan;
  std::vector<std::vector<Receive>> mine;
  if (is_there(step.self)) mine = terms_of(step.self);
  plan.terms = mine.size();
  for (const Rank rank : step.ranks) {
    plan.receive.push_back(parts_from(mine, rank));
    const bool wants =
        is_there(rank) && overlaps(step.from, local_box(step.after, step.global, rank));
    plan.send.push_back(wants ? parts_from(terms_of(rank), step.self) : Parts());
  }
  return plan;
}

/// The parts one behind another, as bytes: one that lies together in the operand is sent from
/// there.
Tensor packed(const internal::Collective& step, const Tensor& operand, const Parts& parts) {
  const int64_t bytes = byte_count(parts, step.dtype);
  if (parts.size() == 1) {
    const Tensor part = internal::cut_out(operand, step.from, parts.front().box);
    return Tensor::view(part.buffer(), part.byte_offset(), DType::kU8, {bytes});
  }
  Tensor tensor(DType::kU8, {bytes});
  int64_t at = 0;
  for (const Part& part : parts) {
    Tensor target = Tensor::view(tensor.buffer(), at, step.dtype, part.box.size);
    copy_elements(internal::view_of(operand, step.from, part.box), target);
    at += target.byte_count();
  }
  return tensor;
}

/// What came of each term, and where it goes.
struct Arrived {
  Box box;
  Tensor values;
};

std::vector<std::vector<Arrived>> unpacked(const internal::Collective& step,
                                           const ExchangePlan& plan,
                                           const std::vector<Tensor>& receive) {
  std::vector<std::vector<Arrived>> terms(plan.terms);
  for (size_t i = 0; i < receive.size(); ++i) {
    int64_t at = 0;
    for (const Part& part : plan.receive[i]) {
      Tensor values = Tensor::view(receive[i].buffer(), at, step.dtype, part.box.size);
      at += values.byte_count();
      terms[part.term].push_back({part.box, std::move(values)});
    }
  }
  return terms;
}

/// The result is the combination of the terms, in their order.
void combine_terms(const internal::Collective& step, const std::vector<std::vector<Arrived>>& terms,
                   Tensor& result) {
  std::vector<Tensor> whole;
  std::vector<const std::byte*> sources;
  for (const std::vector<Arrived>& parts : terms) {
    if (parts.size() == 1 && parts.front().box == step.to) {
      whole.push_back(parts.front().values);
    } else {
      whole.emplace_back(step.dtype, step.to.size);
      for (const Arrived& part : parts)
        internal::paste(part.values, part.box, whole.back(), step.to);
    }
    sources.push_back(whole.back().bytes().data());
  }
  std::byte* const to = result.mutable_bytes().data();
  combine(step.dtype, step.before.partial.front().op, sources, std::span(&to, 1), result.size());
}

void exchange(const internal::Collective& step, const ExchangePlan& plan, const Tensor& operand,
              Tensor& result) {
  std::vector<Tensor> send;
  std::vector<Tensor> receive;
  for (const Parts& parts : plan.send) send.push_back(packed(step, operand, parts));
  for (const Parts& parts : plan.receive)
    receive.emplace_back(DType::kU8, Shape{byte_count(parts, step.dtype)});
  step.group->all_to_all(send, receive);
  const std::vector<std::vector<Arrived>> terms = unpacked(step, plan, receive);
  if (terms.size() > 1) return combine_terms(step, terms, result);
  for (const std::vector<Arrived>& parts : terms)
    for (const Arrived& part : parts) internal::paste(part.values, part.box, result, step.to);
}

internal::RunCollective plan_exchange(const internal::Collective& step) {
  return [&step, plan = make_plan(step)](const Tensor& operand, Tensor& result) {
    exchange(step, plan, operand, result);
  };
}

}  // namespace

TESSERA_OP(exchange) {
  return internal::collective_op("NeighborExchange",
                                 "Every rank fetches its new box from the ranks that hold it, on "
                                 "whatever meshes.",
                                 internal::comm_kernel<plan_exchange>());
}

}  // namespace tessera
