#include "tessera/model/rank_memory.h"

#include <map>

#include "tessera/comm/planned_rank.h"
#include "tessera/model/spread.h"

namespace tessera {
namespace {

/// The graph's text without where on the grid it is: ranks of equal texts need equal memory.
std::string kind_of(Graph graph) {
  for (ValueInfo& value : graph.values)
    if (value.box) value.box->begin = Shape(value.box->begin.size(), 0);
  return to_string(graph);
}

RankMemory memory_of(const Graph& graph, Communicator& world, const RunOptions& options) {
  RankMemory memory;
  std::vector<Tensor> parameters;
  for (const ValueId id : graph.parameters) {
    const TensorType type = graph.type(id);
    parameters.emplace_back(type.dtype, type.shape());
    memory.parameters += parameters.back().byte_count();
  }
  memory.program = Program::compile(graph, parameters,
                                    {.threads = options.threads,
                                     .reference_only = options.reference_only,
                                     .deterministic = options.deterministic,
                                     .world = &world,
                                     .plan_only = true})
                       .memory();
  return memory;
}

}  // namespace

int64_t RankMemory::peak() const {
  return parameters + program.formatted + program.kernels + program.activations + program.running +
         program.inputs + program.outputs;
}

std::vector<RankMemory> predict_memory(const Placed& placed, const RunOptions& options) {
  std::vector<RankMemory> all;
  std::map<std::string, RankMemory> known;  // by kind_of
  const int ranks = placed.mesh->rank_count();
  for (Rank rank = 0; rank < ranks; ++rank) {
    const Graph graph = local_graph(placed, rank);
    auto [it, is_new] = known.try_emplace(kind_of(graph));
    if (is_new) {
      const auto world = planned_rank(rank, ranks);
      it->second = memory_of(graph, *world, options);
    }
    all.push_back(it->second);
    all.back().rank = rank;
  }
  return all;
}

}  // namespace tessera
