// Plans how a tensor in one layout gets into another: a few collectives over mesh axes, or one
// exchange. Pure arithmetic: nothing here communicates. A plan prints as its source and a line per
// step:
//
//   {dp=2,tp=4} [dp tp, -]
//   all_to_all tp 0 -> 1: [dp, tp]
//   all_gather dp 0: [-, tp]
//
// Only the minor-most axis of a dim can leave it, and an axis joins a dim as its minor-most: so
// every rank always holds one box, also where extents do not divide.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tessera/layout/exchange.h"
#include "tessera/layout/layout.h"

namespace tessera {

enum class StepKind : uint8_t {
  kSlice,          // every rank keeps a part of what it has; nothing moves
  kAllGather,      // the ranks along an axis get what all of them hold
  kAllToAll,       // the axis leaves one dim and joins another
  kReduceScatter,  // partial values are combined, each rank keeps a part
  kAllReduce,      // partial values are combined, each rank keeps all
  kSendReceive,    // an exchange in which every rank receives from at most one other
  kExchange,       // every rank fetches its new box from the ranks that hold it
};
std::string_view to_string(StepKind kind);

/// Turns the layout before it into `after`. All but the last two kinds work in the groups of ranks
/// along `axis` of the mesh, which stays the same; an exchange may end on another mesh.
struct Step {
  StepKind kind = StepKind::kExchange;
  AxisId axis = -1;   // -1 for an exchange
  int from_dim = -1;  // the dim that loses the axis, or -1
  int to_dim = -1;    // the dim that gains the axis, or -1
  Layout after;
  bool operator==(const Step&) const = default;
};

struct Plan {
  Layout from;  // over the mesh of the first steps, which may refine that of the source
  std::vector<Step> steps;
  bool operator==(const Plan&) const = default;
};

/// A message costs its bytes and its start-up, which is expressed as bytes: what the wire could
/// have carried in that time. A step costs what the rank that receives most receives.
struct CostModel {
  double latency_bytes = 64 * 1024;
};

/// The cheapest plan; of equal ones one without an exchange, then one of fewest steps. No plan
/// costs more than the exchange: when the layouts are too many to try them all, it is the plan, and
/// it always is where the meshes have no common refinement, save for what combines partial values
/// before it. A plan that would send on what was gathered, and so move more bytes in all than the
/// exchange, gives way to it: fewer messages do not make up for that. Axes of size 1 are left out
/// of the steps' layouts. Throws kInvalidArgument for layouts that do not fit the tensor, or as
/// check_exchange does: partial values only ever get combined.
Plan plan_redistribution(const Layout& from, const Layout& to, const Shape& global,
                         int64_t element_bytes, const CostModel& model = {});

/// The sum of the steps' costs, in bytes.
double cost(const Plan& plan, const Shape& global, int64_t element_bytes,
            const CostModel& model = {});
/// What `rank` receives while the plan runs.
Traffic traffic(const Plan& plan, const Shape& global, int64_t element_bytes, Rank rank,
                const CostModel& model = {});
std::string to_string(const Plan& plan);

}  // namespace tessera
