// What the ops that ranks compute together share. Their operand and result are one global tensor in
// two layouts; each rank has its boxes of it:
//
//   v4 = all_reduce(v3) {axis="tp", before="{dp=2,tp=2} [dp, -] +tp", after="{dp=2,tp=2} [dp, -]"}
#pragma once

#include <functional>
#include <memory>

#include "tessera/comm/communicator.h"
#include "tessera/graph/op_def.h"
#include "tessera/layout/redistribute.h"

namespace tessera::internal {

/// A collective made ready: what every rank of the group has, and this one's boxes.
struct Collective {
  Communicator* group = nullptr;  // the ranks that take part, numbered as in `ranks`
  std::vector<Rank> ranks;        // their numbers in the world
  Rank self = 0;                  // in the world
  AxisId axis = -1;
  Layout before;
  Layout after;
  DType dtype = DType::kF32;
  Shape global;
  Box from;  // of the operand, here
  Box to;    // of the result, here

  ReduceOp reduce_op() const;  // how the values that are partial along the axis combine
};

using RunCollective = std::function<void(const Tensor& operand, Tensor& result)>;
/// Decides once what every run moves; the collective outlives what it gives.
using PlanCollective = RunCollective (*)(const Collective&);

/// The definition of a collective op: its attributes, its kernel over the communicator, and the
/// identity for a rank alone.
OpDef collective_op(std::string_view mindspore_name, std::string_view doc, Kernel over_ranks);

std::unique_ptr<PreparedKernel> prepare_collective(const OpCall& call, PlanCollective plan,
                                                   bool in_place);
Support supports_collective(const OpCall& call);

/// The kernel "comm" that runs what `plan` gives; `in_place`: the result takes over the operand's
/// memory.
template <PlanCollective plan, bool in_place = false>
Kernel comm_kernel() {
  return {.name = "comm",
          .supports = supports_collective,
          .prepare = [](const OpCall& call,
                        const Formats&) { return prepare_collective(call, plan, in_place); },
          .position_independent = true};
}

/// The elements `part` of `tensor`, which holds `box`, in its memory.
Tensor view_of(const Tensor& tensor, const Box& box, const Box& part);
/// The same, contiguous: in its memory where they lie together there, else a copy.
Tensor cut_out(const Tensor& tensor, const Box& box, const Box& part);
/// Writes `values`, which hold `part`, into `tensor`, which holds `box`.
void paste(const Tensor& values, const Box& part, Tensor& tensor, const Box& box);

}  // namespace tessera::internal
