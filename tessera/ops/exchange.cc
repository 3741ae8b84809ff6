#include <algorithm>
#include <cstring>

#include "tessera/layout/exchange.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/collective.h"

namespace tessera {
namespace {

using Terms = std::vector<std::vector<Receive>>;

/// What a rank receives; nothing where the result's layout has no such rank.
Terms terms_of(const internal::Collective& step, Rank rank) {
  if (!step.after.mesh->find_place(rank)) return {};
  return exchange_parts(step.before, step.after, step.global, rank);
}

/// Calls visit(term, box) for what `rank` receives from `source`, in the order in which both ends
/// pack it.
template <typename Visit>
void for_each_part(const Terms& terms, Rank source, Visit visit) {
  for (size_t t = 0; t < terms.size(); ++t)
    for (const Receive& part : terms[t])
      if (part.source == source) visit(t, part.box);
}

/// What this rank sends to another, packed.
Tensor packed(const internal::Collective& step, const Tensor& operand, Rank to) {
  std::vector<std::byte> bytes;
  const Terms terms = terms_of(step, to);
  for_each_part(terms, step.self, [&](size_t, const Box& box) {
    const Tensor part = internal::cut_out(operand, step.from, box);
    bytes.insert(bytes.end(), part.bytes().begin(), part.bytes().end());
  });
  Tensor tensor(DType::kU8, {std::ssize(bytes)});
  std::copy(bytes.begin(), bytes.end(), tensor.mutable_bytes().begin());
  return tensor;
}

int64_t bytes_from(const Terms& terms, Rank source, DType dtype) {
  int64_t bytes = 0;
  for_each_part(terms, source, [&](size_t, const Box& box) {
    bytes += element_count(box.size) * byte_size(dtype);
  });
  return bytes;
}

void combine(const Tensor& term, Tensor& sum, ReduceOp op) {
  visit_dtype(sum.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double> ||
                  std::is_same_v<T, int32_t> || std::is_same_v<T, int64_t>) {
      const auto from = term.data<T>();
      const auto to = sum.mutable_data<T>();
      for (size_t i = 0; i < to.size(); ++i) {
        to[i] = op == ReduceOp::kSum   ? to[i] + from[i]
                : op == ReduceOp::kMax ? std::max(to[i], from[i])
                                       : std::min(to[i], from[i]);
      }
    } else {
      fail(ErrorCode::kUnsupported, "partial values of {} cannot be combined in an exchange",
           to_string(sum.dtype()));
    }
  });
}

void exchange(const internal::Collective& step, const Tensor& operand, Tensor& result) {
  const Terms mine = terms_of(step, step.self);
  std::vector<Tensor> send;
  std::vector<Tensor> receive;
  for (const Rank rank : step.ranks) {
    send.push_back(packed(step, operand, rank));
    receive.emplace_back(DType::kU8, Shape{bytes_from(mine, rank, step.dtype)});
  }
  step.group->all_to_all(send, receive);
  Tensor sum = result;
  for (size_t t = 0; t < mine.size(); ++t) {
    Tensor term = t == 0 ? sum : Tensor(step.dtype, step.to.size);
    for (size_t i = 0; i < receive.size(); ++i) {
      int64_t at = 0;
      for_each_part(mine, step.ranks[i], [&](size_t number, const Box& box) {
        const Tensor part = Tensor::view(receive[i].buffer(), at, step.dtype, box.size);
        at += part.byte_count();
        if (number == t) internal::paste(part, box, term, step.to);
      });
    }
    if (t > 0) combine(term, sum, step.before.partial.front().op);
  }
}

}  // namespace

TESSERA_OP(exchange) {
  return internal::collective_op("NeighborExchange",
                                 "Every rank fetches its new box from the ranks that hold it, on "
                                 "whatever meshes.",
                                 internal::comm_kernel<exchange>());
}

}  // namespace tessera
