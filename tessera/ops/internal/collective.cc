#include "tessera/ops/internal/collective.h"

#include <fmt/format.h>

#include <algorithm>

#include "tessera/base/shown.h"
#include "tessera/ops/internal/moves/reshape.h"

namespace tessera::internal {
namespace {

/// The ranks that work together: along the axis, by their coordinates on it, so that every group
/// sums in one order and replicas are equal to the bit; or all of both layouts.
std::vector<Rank> members(const Collective& made) {
  if (made.axis >= 0) return made.before.mesh->group(made.self, made.axis);
  std::vector<Rank> ranks;
  for (const Layout* layout : {&made.before, &made.after})
    for (int place = 0; place < layout->mesh->rank_count(); ++place)
      ranks.push_back(layout->mesh->rank_at(place));
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  return ranks;
}

Collective make_collective(const OpCall& call) {
  Collective made;
  made.self = call.world->rank();
  made.before = parse_layout(call.attr<std::string>("before"));
  made.after = parse_layout(call.attr<std::string>("after"));
  const auto& axis = call.attr<std::string>("axis");
  if (!axis.empty()) {
    const std::optional<AxisId> found = made.before.mesh->find(axis);
    require(found.has_value(), "there is no axis '{}' in {}", axis, shown(*made.before.mesh));
    made.axis = *found;
  }
  made.dtype = call.operands[0].dtype;
  made.global = call.global(0);
  made.from = call.operands[0].box;
  made.to = call.results[0].box;
  made.ranks = members(made);
  for (const Rank rank : made.ranks)
    require(rank < call.world->size(), "{} has rank {}, but {} ranks run", shown(made.before), rank,
            call.world->size());
  return made;
}

class PreparedCollective final : public PreparedKernel {
 public:
  PreparedCollective(const OpCall& call, PlanCollective plan, bool in_place)
      : collective_(make_collective(call)), in_place_(in_place) {
    formats_.operands.resize(1);
    formats_.results.resize(1);
    collective_.group = &call.world->group(collective_.ranks);
    run_ = plan(collective_);
  }

  const Formats& formats() const override { return formats_; }
  int overwritten_operand() const override { return in_place_ ? 0 : -1; }
  std::string detail() const override {
    return fmt::format("{} of {} ranks by {}", collective_.ranks.size(),
                       collective_.before.mesh->rank_count(), collective_.group->backend());
  }
  /// Parts are copied together before they are sent, or after they have come: both where neither
  /// box has all of the other.
  int64_t run_bytes() const override {
    if (in_place_) return 0;
    const int64_t from = element_count(collective_.from.size);
    const int64_t to = element_count(collective_.to.size);
    const int64_t shared = element_count(intersect(collective_.from, collective_.to).size);
    return (shared == std::min(from, to) ? std::max(from, to) : from + to) *
           byte_size(collective_.dtype);
  }
  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    run_(operands[0], results[0]);
  }

 private:
  Collective collective_;
  RunCollective run_;
  bool in_place_;
  Formats formats_;
};

/// A rank alone has all of both layouts.
void keep(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  require(call.operands[0].box == call.results[0].box,
          "{} becomes {}, which takes the ranks of {} together: run it with a communicator",
          shown(call.operands[0]), shown(call.results[0]), call.attr<std::string>("before"));
  copy_as_is(call, operands, results);
}

}  // namespace

ReduceOp Collective::reduce_op() const {
  for (const Partial& partial : before.partial)
    if (partial.axis == axis) return partial.op;
  fail(ErrorCode::kInternal, "{} is not partial along axis {}", to_string(before), axis);
}

OpDef collective_op(std::string_view mindspore_name, std::string_view doc, Kernel over_ranks) {
  return {
      .mindspore_name = mindspore_name,
      .doc = doc,
      .operands = {{"x", DTypes::kAny}},
      .attrs = {{"before", std::string("{a=1} [...]"), "the layout of x"},
                {"after", std::string("{a=1} [...]"), "the layout of the result"},
                {"axis", std::string(), "the mesh axis along which the ranks work together"},
                {"every_run", true,
                 "x changes from run to run; else it moves once, when compiled"}},
      .rule = OpDef::fixed_rule("... -> ..."),
      .is_collective = true,
      .kernels = {over_ranks, reference(keep)},
      .examples = {{{{4, 6}}}, {.shapes = {{3, 2, 5}}, .dtypes = {DType::kI32}}},
  };
}

Support supports_collective(const OpCall& call) {
  if (call.world == nullptr) return Support::no("there is no communicator");
  return Support::yes();
}

std::unique_ptr<PreparedKernel> prepare_collective(const OpCall& call, PlanCollective plan,
                                                   bool in_place) {
  return std::make_unique<PreparedCollective>(call, plan, in_place);
}

Tensor view_of(const Tensor& tensor, const Box& box, const Box& part) {
  Box inner = part;
  for (size_t d = 0; d < part.begin.size(); ++d) inner.begin[d] -= box.begin[d];
  return tensor.slice(inner);
}

Tensor cut_out(const Tensor& tensor, const Box& box, const Box& part) {
  return box == part ? tensor : view_of(tensor, box, part).contiguous();
}

void paste(const Tensor& values, const Box& part, Tensor& tensor, const Box& box) {
  if (is_empty(part)) return;
  Tensor target = view_of(tensor, box, part);
  copy_elements(values, target);
}

}  // namespace tessera::internal
