#include "tests/placement/run_placed.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "tessera/comm/communicator.h"
#include "tessera/passes/fuse.h"
#include "tessera/passes/lower.h"
#include "tessera/runtime/program.h"

namespace tessera::testing {
namespace {

/// What a rank is given of a value.
Tensor part(const Placed& placed, ValueId id, Rank rank, const Values& values) {
  const std::string& name = placed.graph.values[static_cast<size_t>(id)].name;
  return values.at(name).slice(part_of(placed, id, rank)).clone();
}

std::vector<Tensor> run_rank(const Placed& placed, const Values& values, const RankOptions& options,
                             Communicator& world) {
  Graph mine = lower(placed, world.rank());
  if (options.fuse) mine = fuse(mine);
  verify(mine);
  std::vector<Tensor> parameters;
  for (const ValueId id : mine.parameters) {
    const std::string& name = mine.values[static_cast<size_t>(id)].name;
    parameters.push_back(part(placed, *placed.graph.find(name), world.rank(), values));
  }
  Program program = Program::compile(mine, parameters,
                                     {.threads = options.threads,
                                      .reference_only = options.reference_only,
                                      .deterministic = options.deterministic,
                                      .world = &world});
  std::vector<Tensor> inputs;
  for (const ValueId id : placed.graph.inputs)
    inputs.push_back(part(placed, id, world.rank(), values));
  (void)program.run(inputs);
  return program.run(inputs);  // a second time: nothing of the first may linger
}

bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end());
}

}  // namespace

Values random_values(const Graph& graph, uint64_t seed) {
  Values values;
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (const auto* ids : {&graph.inputs, &graph.parameters}) {
    for (const ValueId id : *ids) {
      const ValueInfo& info = graph.values[static_cast<size_t>(id)];
      const bool positive = info.name.ends_with("variance");
      Tensor wide(DType::kF64, info.shape);
      for (double& value : wide.mutable_data<double>())
        value = info.dtype == DType::kI32 || info.dtype == DType::kI64
                    ? std::floor((uniform(random) + 1) * 2)
                    : (positive ? 1.5 + uniform(random) : uniform(random));
      values.emplace(info.name, wide.cast(info.dtype));
    }
  }
  return values;
}

std::vector<Tensor> run_alone(const Graph& graph, const Values& values,
                              const RankOptions& options) {
  std::vector<Tensor> parameters;
  std::vector<Tensor> inputs;
  for (const ValueId id : graph.parameters)
    parameters.push_back(values.at(graph.values[static_cast<size_t>(id)].name));
  for (const ValueId id : graph.inputs)
    inputs.push_back(values.at(graph.values[static_cast<size_t>(id)].name));
  const CompileOptions compile{.threads = 1,
                               .reference_only = options.reference_only,
                               .deterministic = options.deterministic};
  return Program::compile(graph, parameters, compile).run(inputs);
}

std::vector<Tensor> run_placed(const Placed& placed, const Values& values,
                               const RankOptions& options) {
  const int ranks = placed.mesh->rank_count();
  std::vector<std::vector<Tensor>> outputs(static_cast<size_t>(ranks));
  run_world({.backend = "local", .ranks = ranks, .timeout_seconds = 60}, [&](Communicator& world) {
    outputs[static_cast<size_t>(world.rank())] = run_rank(placed, values, options, world);
  });
  for (int rank = 1; rank < ranks; ++rank)
    for (size_t i = 0; i < outputs[0].size(); ++i)
      if (!same(outputs[0][i], outputs[static_cast<size_t>(rank)][i]))
        fail(ErrorCode::kInternal, "output {} of rank {} differs from rank 0's", i, rank);
  return outputs[0];
}

}  // namespace tessera::testing
