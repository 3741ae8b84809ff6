// A model with weights, ready to predict and to be evaluated: MindSpore's Model over Tessera's
// graph, checkpoint and program.
//
//   Model model = Model::open({.model = "lenet5", .weights = {"lenet.ckpt"}});
//   Tensor logits = model.predict(images);                   // [n,1,32,32] -> [n,10]
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "tessera/checkpoint/match.h"
#include "tessera/comm/communicator.h"
#include "tessera/data/pipeline.h"
#include "tessera/model/metric.h"
#include "tessera/passes/place.h"
#include "tessera/reshard/assign_readers.h"
#include "tessera/runtime/program.h"
#include "tessera/zoo/zoo.h"

namespace tessera {

/// Which network, and where its weights are.
struct ModelSource {
  std::string model;                           // in the notation of zoo.h
  const ModelDef* network = nullptr;           // a network of your own, instead of `model`
  std::vector<std::filesystem::path> weights;  // empty: all parameters are new
  /// Parameters that no file gives are new: what the network's initialisers make of this seed, the
  /// same for any ranks and threads.
  uint64_t seed = 0;
  /// How the weights were cut, where `weights` are the files of a job's ranks, in their order, or
  /// the one folder that holds them.
  std::filesystem::path strategy = {};
  Shape row_shape = {};  // [c,h,w]; empty: the model's own
  OpenOptions open = {};
  MatchOptions match = {};
  LoadOptions load = {};
};

struct TrainRecipe;

/// auto_parallel: what the placement is looked for.
struct SearchOptions {
  int64_t memory_limit = 0;     // bytes per rank, as RankMemory::peak counts them; 0: no limit
  int64_t rows = 32;            // of the batches that it is best for, and must fit
  bool counts_outputs = false;  // as search() does
  bool as_pieces = false;       // in MindSpore's notation, where it can say the same
  /// Steps of this training are placed best, not predictions. Null: predictions.
  std::shared_ptr<const TrainRecipe> training = nullptr;
};

struct RunOptions {
  int threads = 0;              // 0: all processors of this process
  bool reference_only = false;  // plain C++ kernels only
  /// f32 results are bit-identical for any number of ranks and threads, and any placement, on one
  /// type of processor; see docs/decisions/0010-deterministic.md.
  bool deterministic = false;
  Precision precision = Precision::kF32;  // as CompileOptions has it
  bool runs_once = false;                 // likewise
  int streams = 1;                        // likewise
  /// The ranks that run the model together: all of them open, predict and evaluate it at the same
  /// time with the same arguments. Null: this process alone. Must outlive the model.
  Communicator* world = nullptr;
  PlaceOptions place = {};  // how, where there is a world; no mesh: {dp=ranks of a stage}
  /// The nodes that nobody has sharded are cut so that the fewest bytes move; see passes/search.h.
  std::optional<SearchOptions> search = {};
  /// Gives nodes their shardings, before the graph is placed; may be null.
  std::function<void(Graph&)> shard_operators = nullptr;
  /// Rank 0 of a world calls it once, with how the first batch that the model runs is placed; may
  /// be null.
  std::function<void(const Placed&)> on_first_program = nullptr;
};

/// What loading found.
struct LoadSummary {
  std::vector<std::string> not_used;    // stored, but not of the network: optimizer state, counters
  std::vector<std::string> not_loaded;  // of the network, but not stored; allowed by name, and new
  std::vector<std::string> notes;       // what was accepted only because it was allowed
  bool unchecked_crc = false;           // a file carries a CRC that nobody asked to check
  uint64_t bytes = 0;                   // of the parameters, of many ranks this one's parts
  std::vector<RankTraffic> ranks;       // of many ranks: what each read, sent and received
  double seconds = 0;
};

struct EvalReport {
  int64_t rows = 0;      // evaluated, those left out not among them
  int64_t correct = -1;  // rows whose largest output is the label; -1 where no metric counts it
  std::vector<MetricResult> metrics;  // in the order asked for
  double seconds = 0;                 // rows and program, not loading
  double wait_seconds = 0;            // of these, how long the program waited for rows
  std::vector<BadRow> bad;            // rows left out because they cannot be read, sorted
};

/// Rows that were evaluated together, without those left out.
struct EvalBatch {
  const Tensor& outputs;          // [n, classes, ...]
  const Tensor& labels;           // i32 [n]
  std::span<const int64_t> rows;  // their numbers in the source
};

struct EvalOptions {
  /// The op that gives one loss per row from outputs and labels, for the metric `loss`.
  std::string loss = "sparse_softmax_cross_entropy";
  std::function<void(int64_t rows)> progress;               // called after every batch
  std::function<void(const EvalBatch&)> observe = nullptr;  // before the metrics take the batch
};

class Callback;
class Spread;
class Trainer;
struct TrainOptions;
struct TrainReport;

class Model {
 public:
  /// Builds the graph, runs the inference passes, loads the weights. Programs are compiled when a
  /// batch size is first seen; they share the weights.
  static Model open(const ModelSource& source, const RunOptions& options = {});
  /// The same network with the same weights, which are shared, in another precision.
  Model with_precision(Precision precision) const;

  /// x [n, row...] of the row shape -> the model's outputs [n, ...]. May be called by many threads;
  /// as many calls as RunOptions::streams says go on at the same time, for each batch size. Of many
  /// ranks each gives all of x and gets all outputs, unless place.gather_outputs is false, in one
  /// call at a time.
  Tensor predict(const Tensor& x);

  /// Runs all of `rows` and updates the metrics, which are cleared first. A rank that needs a part
  /// of each batch reads only that; every rank gets the same report.
  EvalReport eval(Pipeline rows, const std::vector<std::unique_ptr<Metric>>& metrics,
                  const EvalOptions& options = {});

  /// Trains the weights, as Trainer(*this, options).train() of model/train/trainer.h does: a run
  /// that begins with a new optimizer.
  TrainReport train(int64_t epochs, const Pipeline& rows, const TrainOptions& options,
                    std::span<Callback* const> callbacks = {});

  /// The network's parameters, in the order of the graph.
  std::vector<NetworkParameter> parameters() const;
  /// The values of a parameter, of many ranks this one's part; kInvalidArgument when the network
  /// has none of that name or it lies on other ranks.
  const Tensor& weight(std::string_view name) const;
  /// Replaces the values; programs are compiled anew. The dtype and shape must be the parameter's.
  void set_weight(std::string_view name, Tensor values);

  const ModelSpec& spec() const { return spec_; }
  const Shape& row_shape() const { return row_shape_; }
  const LoadSummary& loaded() const { return loaded_; }
  /// The program for batches of this size, compiled if it is not yet.
  Program& program(int64_t rows);
  /// The graph for batches of this size, after the passes: of many ranks this one's.
  Graph graph(int64_t rows) const;
  /// The ranks that run the model; 1 where it runs alone.
  int rank_count() const { return options_.world == nullptr ? 1 : options_.world->size(); }
  /// Where parameters lie; null for a model that runs alone.
  const Spread* spread() const { return spread_.get(); }
  /// How batches of this size are spread over the ranks; null for a model that runs alone.
  const Placed* placed(int64_t rows) const;

 private:
  friend class Trainer;  // changes the weights where they lie
  Model() = default;
  Tensor run(const Tensor& part, int64_t rows);
  Tensor part_of_batch(const Tensor& x) const;
  Tensor all_labels(const Batch& batch) const;
  Pipeline part_of_rows(Pipeline rows) const;

  ModelSpec spec_;
  Shape row_shape_;
  RunOptions options_;
  LoadSummary loaded_;
  std::shared_ptr<const Spread> spread_;  // null: it runs alone
  std::map<std::string, Tensor, std::less<>> weights_;
  std::unique_ptr<std::mutex> compiling_ = std::make_unique<std::mutex>();
  std::map<int64_t, Program> programs_;  // by rows; guarded, what is in it stays where it is
};

}  // namespace tessera
