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
  bool auto_parallel = false;
  std::string memory_limit;

  void declare(Arguments& arguments);
  /// --mesh, --layouts, --stages and the search alone: of words that need no ranks.
  void declare_placement(Arguments& arguments);
  /// Whether a mesh, layouts, stages or a search are asked for.
  bool is_placed() const;
  /// The same, or whether several ranks run.
  bool is_distributed() const;
  /// The placement that these ask for on so many ranks; checked against the network.
  PlaceOptions place(const ModelSpec& spec, const Shape& row_shape, int ranks) const;
  /// The number of ranks: --ranks, or what the mesh of each stage and the stages say.
  int rank_count() const;
  /// What --auto-parallel and --memory-limit look for, in batches of so many rows.
  std::optional<SearchOptions> search(int64_t rows) const;
  /// How a rank runs the model in batches of so many rows: `alone` where there is no world, else
  /// with its share of the machine's processors and the placement.
  RunOptions run_options(RunOptions alone, Communicator* world, const ModelSpec& spec, int64_t rows,
                         const Shape& row_shape) const;
  /// Runs `body` on every rank; with null and alone where nothing is distributed. Throws UsageError
  /// for options that contradict each other.
  void run(const std::function<void(Communicator*)>& body) const;
};

}  // namespace tessera::cli
