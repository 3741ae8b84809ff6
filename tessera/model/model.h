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
#include <string>
#include <vector>

#include "tessera/checkpoint/match.h"
#include "tessera/data/pipeline.h"
#include "tessera/model/metric.h"
#include "tessera/runtime/program.h"
#include "tessera/zoo/zoo.h"

namespace tessera {

/// Which network, and where its weights are.
struct ModelSource {
  std::string model;                           // in the notation of zoo.h
  std::vector<std::filesystem::path> weights;  // empty: all parameters zero, for looking at graphs
  Shape row_shape = {};                        // [c,h,w]; empty: the model's own
  OpenOptions open = {};
  MatchOptions match = {};
  LoadOptions load = {};
};

struct RunOptions {
  int threads = 0;              // 0: all processors of this process
  bool reference_only = false;  // plain C++ kernels only
  bool deterministic = false;   // the same bits on any number of threads and ranks; see program.h
};

/// What loading found.
struct LoadSummary {
  std::vector<std::string> not_used;    // stored, but not of the network: optimizer state, counters
  std::vector<std::string> not_loaded;  // of the network, but not stored; allowed by name, and zero
  std::vector<std::string> notes;       // what was accepted only because it was allowed
  bool unchecked_crc = false;           // a file carries a CRC that nobody asked to check
  uint64_t bytes = 0;                   // of the parameters
  double seconds = 0;
};

struct EvalReport {
  int64_t rows = 0;
  int64_t correct = -1;  // rows whose largest output is the label; -1 where no metric counts it
  std::vector<MetricResult> metrics;  // in the order asked for
  double seconds = 0;                 // rows and program, not loading
};

struct EvalOptions {
  /// The op that gives one loss per row from outputs and labels, for the metric `loss`.
  std::string loss = "sparse_softmax_cross_entropy";
  std::function<void(int64_t rows)> progress;  // called after every batch
};

class Model {
 public:
  /// Builds the graph, runs the inference passes, loads the weights. Programs are compiled when a
  /// batch size is first seen; they share the weights.
  static Model open(const ModelSource& source, const RunOptions& options = {});

  /// x [n, row...] of the row shape -> the model's outputs [n, ...]. One call at a time.
  Tensor predict(const Tensor& x);

  /// Runs all of `rows` and updates the metrics, which are cleared first.
  EvalReport eval(Pipeline rows, const std::vector<std::unique_ptr<Metric>>& metrics,
                  const EvalOptions& options = {});

  /// The network's parameters, in the order of the graph.
  std::vector<NetworkParameter> parameters() const;
  /// The values of a parameter; kInvalidArgument when the network has none of that name.
  const Tensor& weight(std::string_view name) const;
  /// Replaces the values; programs are compiled anew. The dtype and shape must be the parameter's.
  void set_weight(std::string_view name, Tensor values);

  const ModelSpec& spec() const { return spec_; }
  const Shape& row_shape() const { return row_shape_; }
  const LoadSummary& loaded() const { return loaded_; }
  /// The program for batches of this size, compiled if it is not yet.
  Program& program(int64_t rows);
  /// The graph for batches of this size, after the passes.
  Graph graph(int64_t rows) const;

 private:
  Model() = default;

  ModelSpec spec_;
  Shape row_shape_;
  RunOptions options_;
  LoadSummary loaded_;
  std::map<std::string, Tensor, std::less<>> weights_;
  std::map<int64_t, Program> programs_;  // by rows
};

}  // namespace tessera
