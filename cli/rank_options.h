// The options of every word that runs a model on several ranks: threads of this process, or the
// processes that mpirun started.
#pragma once

#include <functional>
#include <string>

#include "cli/arguments.h"
#include "tessera/comm/communicator.h"
#include "tessera/model/model.h"

namespace tessera::cli {

struct RankOptions {
  int64_t ranks = 0;  // 0: one, or those of mpirun
  std::string mesh;
  std::string layouts;
  std::string stages;  // "conv*;fc1,fc2": patterns of scopes, by pipeline stage
  std::string from;
  std::string backend = "auto";
  std::string timeout = "600";

  void declare(Arguments& arguments);
  /// --mesh, --layouts and --stages alone: of words that need no ranks.
  void declare_placement(Arguments& arguments);
  /// Whether a mesh, layouts or stages are given.
  bool is_placed() const;
  /// The same, or whether several ranks run.
  bool is_distributed() const;
  /// The placement that these ask for on so many ranks; checked against the network.
  PlaceOptions place(const ModelSpec& spec, const Shape& row_shape, int ranks) const;
  /// The number of ranks: --ranks, or what the mesh of each stage and the stages say.
  int rank_count() const;
  /// How a rank runs the model: `alone` where there is no world, else with its share of the
  /// machine's processors and the placement.
  RunOptions run_options(RunOptions alone, Communicator* world, const ModelSpec& spec,
                         const Shape& row_shape) const;
  /// Runs `body` on every rank; with null and alone where nothing is distributed. Throws UsageError
  /// for options that contradict each other.
  void run(const std::function<void(Communicator*)>& body) const;
};

}  // namespace tessera::cli
