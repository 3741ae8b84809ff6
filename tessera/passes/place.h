// Gives every value of a graph a layout on a mesh, by the ops' sharding rules, and plans how values
// get from where they are to where an op wants them:
//
//   Placed placed = place(graph, {.mesh = parse_mesh("{dp=2,tp=4}"), .layout_of = rules});
//   Graph mine = lower(placed, rank);  // lower.h: what one rank runs
//
// A value is in the layout in which it was computed; where an op wants another, it gets a further
// form, which later ops use too. Nothing runs here: placing is a function of its arguments.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tessera/graph/graph.h"
#include "tessera/layout/redistribute.h"
#include "tessera/layout/rule_layouts.h"

namespace tessera {

/// How nodes that nobody sharded are placed.
enum class PlaceMode : uint8_t {
  kFollow,  // where their operands are, as far as the op's rule allows, for the fewest bytes
  /// semi_auto_parallel: dim 0 in as many parts as divide both it and the ranks. Inputs are whole
  /// on every rank unless layout_of says otherwise, reshape follows.
  kMindSpore,
};

/// A parameter that is kept cut further than nodes read it: MindSpore's optimizer sharding.
struct FurtherCut {
  Layout layout;
  int step = 0;  // as a strategy file has them: the distance between neighbours,
  int size = 0;  // and into how many parts; -1: over all ranks that hold the same
};

struct PlaceOptions {
  MeshPtr mesh;  // of one pipeline stage; its ranks are 0 … n-1
  /// The layout of a parameter or input, over `mesh` or another of the same ranks. Nothing: an
  /// input is cut along dim 0 by the axis "dp" where the mesh has one, a parameter lies as its
  /// first reader wants it.
  std::function<std::optional<Layout>(const ValueInfo&)> layout_of = nullptr;
  /// Parameters that would lie in a layout are kept so, and gathered where they are read, but by
  /// what updates them. Nothing: as they lie.
  std::function<std::optional<FurtherCut>(const ValueInfo&, const Layout&)> cut_further = nullptr;
  PlaceMode mode = PlaceMode::kFollow;
  /// kMindSpore: per node whether it is the network's own; the others, a backward pass, are placed
  /// as by kFollow. Empty: all are.
  std::vector<bool> network = {};
  /// kMindSpore: the pieces of each input, one tuple per input or one for all; dims that a tuple
  /// lacks are whole, ranks that are left over repeat. Empty: all of it on every rank.
  std::vector<std::vector<int>> input_pieces = {};
  /// Sums of floating-point values stay on one rank: their parts are sent, not partial sums, so
  /// that the order of summing does not depend on the ranks. Parameters are then loaded where they
  /// are read, whatever layout_of says.
  bool deterministic = false;
  bool gather_outputs = true;  // all of every output on every rank; else as computed
  /// Pipeline stages: patterns of scopes ("blocks.0.*"), each list one stage; a node that matches
  /// none is of the stage of its operands. Stage s has the ranks from s · (ranks of the mesh) on.
  std::vector<std::vector<std::string>> stages = {};
  /// Per node its stage, which patterns cannot say of a backward pass: later stages come first
  /// there. Parameters then lie where layout_of says, whoever reads them.
  std::vector<int> node_stages = {};
  /// With node_stages: the nodes at which a tick of the pipeline begins, ascending. What one stage
  /// has of another is moved when the tick begins that wants it, so that no stage computes its part
  /// of a tick while another waits for what was ready before.
  std::vector<size_t> ticks = {};
  CostModel costs = {};
};

/// The stage of each node by patterns of scopes, as PlaceOptions::stages has them. Throws
/// kInvalidArgument for a pattern that matches no scope, and for a node that reads what a later
/// stage computes.
std::vector<int> stages_of_nodes(const Graph& graph,
                                 const std::vector<std::vector<std::string>>& stages);

/// A value in one layout.
struct Form {
  Layout layout;
  int from = -1;          // the form that `plan` turns into this one; -1: as computed
  Plan plan = {};         // empty for the first form
  size_t before = 0;      // the node before which that happens; the number of nodes: at the end
  bool is_early = false;  // that node begins the tick of the one that reads it first
};

struct PlacedNode {
  std::vector<int> operand_forms;  // per operand which of the value's forms it reads
  std::vector<Layout> results;
};

/// A parameter that is kept cut further, as it would lie without that, and what cuts it.
struct Uncut {
  Layout layout;
  int step = 0;  // as in FurtherCut
  int size = 0;
};

struct Placed {
  Graph graph;
  MeshPtr mesh;                          // all ranks of all stages
  std::vector<std::vector<Form>> forms;  // per value; the first is how it is computed or given
  std::vector<PlacedNode> nodes;         // per node of the graph
  std::vector<int> output_forms;         // per output of the graph
  std::vector<bool> network;             // per node: no backward pass, no optimizer
  std::vector<int> update_forms;         // per update: in the layout of its parameter
  std::map<ValueId, Uncut> uncut;        // by parameter that is cut further

  const Layout& layout(ValueId value) const {
    return forms[static_cast<size_t>(value)].front().layout;
  }
};

/// Throws kInvalidArgument naming the node, its operands and layouts for a sharding that its op or
/// the ranks do not allow, for layouts that do not fit their tensors, and for two layouts of one
/// parameter that shardings (in MindSpore's mode also defaults) of two nodes ask for.
Placed place(const Graph& graph, const PlaceOptions& options);

/// What moves while one rank runs the graph once (`running`), or while it is compiled:
/// redistributed parameters and what is computed from them.
struct Movement {
  StepKind kind = StepKind::kExchange;
  ValueId value = -1;
  std::string axis;     // "" for an exchange
  int64_t bytes = 0;    // received by all ranks together
  int64_t largest = 0;  // received by the rank that receives most
  size_t before = 0;    // the node before which it is; the number of nodes: at the end
  int ranks = 0;        // how many take part
  size_t form = 0;      // of the value, and which step of its plan
  size_t step = 0;
  Layout after = {};
  bool running = true;
};
/// Every step of every form that is not free, in the order of the nodes.
std::vector<Movement> movements(const Placed& placed);

/// The graph's text with layouts, and a line per step between the nodes.
std::string to_string(const Placed& placed);
/// The same with bytes: of inputs, parameters and constants what one rank holds (the one that holds
/// most), of steps what all ranks receive, and the largest of them; then the stages and the totals.
std::string explain(const Placed& placed);

}  // namespace tessera
