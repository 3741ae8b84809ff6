// Runs a placed graph on threads as ranks, as a user's ranks would: lowered, fused, compiled, run.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tessera/passes/place.h"

namespace tessera::testing {

using Values = std::map<std::string, Tensor>;

/// Values for every input and parameter of a graph; the same every time.
Values random_values(const Graph& graph, uint64_t seed = 1);

struct RankOptions {
  bool reference_only = true;
  bool fuse = true;
  bool deterministic = false;
  int threads = 1;
};

/// The outputs of one device, by reference kernels unless the options say otherwise.
std::vector<Tensor> run_alone(const Graph& graph, const Values& values,
                              const RankOptions& options = {});

/// The outputs, which every rank must have alike: throws kInternal where they differ. Values are
/// whole; each rank gets its parts.
std::vector<Tensor> run_placed(const Placed& placed, const Values& values,
                               const RankOptions& options = {});

}  // namespace tessera::testing
