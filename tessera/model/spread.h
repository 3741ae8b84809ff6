// A model spread over the ranks of a job: where its parameters lie, whatever the batch, and how
// batches of each size are placed.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "tessera/model/model.h"
#include "tessera/model/train/parallel_optimizer.h"
#include "tessera/passes/search.h"
#include "tessera/passes/training.h"
#include "tessera/train/train_graph.h"

namespace tessera {

/// A traced network as it is placed: with constants folded, the ends of dense and conv2d as nodes
/// of their own, and sharded by options.shard_operators.
Graph ready_to_place(const Graph& network, const RunOptions& options);
/// A traced network, made ready and placed; where options.search asks for it, as the search finds.
/// Throws as place does, and kInvalidArgument where no placement fits the limit of memory, with the
/// least that is needed.
Placed place_network(const Graph& network, const RunOptions& options);
/// The network that training makes a step of, ready to be placed.
Graph training_network(const ModelSpec& spec, int64_t rows, const Shape& row_shape,
                       const TrainingOptions& training, const RunOptions& options);
/// What one rank runs of it, after all passes.
Graph local_graph(const Placed& placed, Rank rank);

class Spread {
 public:
  /// Places the model for a batch of 32 rows, or of options.search, which decides where parameters
  /// lie that no layout names. Throws as place does. Collective: the ranks of options.world must
  /// agree.
  Spread(const ModelSpec& spec, const Shape& row_shape, const RunOptions& options);
  /// The same for so many ranks that do not run, to look at: there is no world then.
  Spread(const ModelSpec& spec, const Shape& row_shape, const RunOptions& options, int ranks);
  Spread(const Spread&) = delete;
  Spread& operator=(const Spread&) = delete;

  Communicator& world() const { return *options_.world; }
  int rank_count() const { return rank_count_; }
  /// How batches of this size are placed; made when it is first asked for.
  const Placed& placed(int64_t rows) const;
  /// How a training step of the same model is placed: parameters where the model has them, what the
  /// optimizer keeps beside them; with `shared` the ranks that hold the same share that.
  Placed place_training(const TrainGraph& step,
                        const std::optional<ParallelOptimizer>& shared = {}) const;
  /// Into how many parts the rows of a batch are cut.
  int parts_of_batch() const;
  /// A rank's graph for them, after all passes.
  Graph graph(int64_t rows, Rank rank) const;
  /// Where a parameter lies; null for a name that the network has not.
  const Layout* layout(std::string_view parameter) const;
  const std::map<std::string, Layout, std::less<>>& layouts() const { return layouts_; }

 private:
  Placed place_rows(int64_t rows) const;
  /// Places a batch, and notes where its parameters lie.
  void place_first(int64_t rows);
  /// The same for the cheapest placement of a training step, and notes its shardings; of the model
  /// alone nothing is placed yet.
  void search_step(int64_t rows);
  Graph sharded_as_searched(Graph step) const;
  void note_parameters(const Placed& placed);

  ModelSpec spec_;
  Shape row_shape_;
  RunOptions options_;
  int rank_count_;
  std::vector<std::string> shardings_;  // that were searched for, per node
  std::map<std::string, std::string, std::less<>> step_shardings_;  // by result of a training step
  std::map<std::string, Layout, std::less<>> layouts_;              // by parameter
  std::map<std::string, Layout, std::less<>> read_as_;  // of those that are kept cut further
  mutable std::map<int64_t, Placed> placed_;            // by rows
};

}  // namespace tessera
