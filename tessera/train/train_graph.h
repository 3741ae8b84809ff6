// The graph of one training step: a network's graph with its loss, the backward pass and the
// optimizer's updates behind it. Its inputs are the batch, the labels and the numbers of the step;
// its output is the loss; parameters and what the optimizer keeps are parameters with updates.
//
//   TrainGraph step = make_train_graph(trace(lenet, 32, {1,32,32}), recipe);
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tessera/train/micro_batches.h"
#include "tessera/train/optimizer.h"

namespace tessera {

/// Parameters that are trained in another way than the rest: MindSpore's parameter groups.
struct ParameterGroup {
  std::string pattern;  // of names, such as "*.bias"; the first group that fits counts
  std::optional<Schedule> rate = {};  // nothing: the optimizer's
  std::optional<double> weight_decay = {};
  bool is_frozen = false;  // not trained at all
};

struct TrainRecipe {
  /// The op that gives one loss per row from outputs and labels; the loss is their mean.
  std::string loss = "sparse_softmax_cross_entropy";
  Optimizer optimizer;
  std::vector<ParameterGroup> groups = {};
  double clip_value = 0;  // of every element of a gradient; 0: not clipped
  double clip_norm = 0;   // of all gradients together; 0: not clipped
  /// Gradients of so many batches are summed up, each divided by their number, before a step.
  int accumulate = 1;
  double gradient_factor = 1;  // what gradients are multiplied by, before they are clipped
  /// A batch is so many micro-batches of equally many rows; the network is that of one. Their
  /// gradients are summed up as those of batches are, within one step.
  int micro_batches = 1;
  /// The pipeline's stages, as PlaceOptions has them; empty: one.
  std::vector<std::vector<std::string>> stages = {};
  /// Scopes whose values are not kept for the backward pass but computed again
  /// (passes/recompute.h).
  std::vector<std::string> recompute = {};
  /// The loss is multiplied by the input "loss_scale" and gradients divided by it.
  bool scales_loss = false;
  /// Where one of the scaled gradients is no finite number, the step changes nothing, and the last
  /// output of the graph that makes it, else 0, is no number.
  bool drops_overflow = true;

  bool looks_for_overflow() const { return scales_loss && drops_overflow; }
};

/// Which part of a step a graph is.
enum class StepPart : uint8_t {
  kWhole,
  kAccumulate,  // adds a batch's gradients to accu_grads.*
  kApply,       // the optimizer's step with these, which are zeros then; no batch, no output
};

/// What the sums of gradients over several batches are called, before a '.' and their parameter.
inline constexpr std::string_view kGradientSums = "accu_grads";
/// What checkpoints call the number of batches of an epoch, by which a run that goes on knows that
/// it counts epochs as the one before did.
inline constexpr std::string_view kBatchesInEpoch = "batches_in_epoch";

/// A tensor that training keeps beside the network's parameters.
struct KeptTensor {
  std::string name;  // "moments.fc1.weight", as in MindSpore's checkpoints
  DType dtype = DType::kF32;
  Shape shape;
  double initial = 0;     // of every element
  std::string parameter;  // whose it is
};

struct TrainGraph {
  Graph graph;
  std::vector<KeptTensor> kept;      // in the order of MindSpore's checkpoints
  std::vector<std::string> trained;  // parameters that the optimizer changes
  std::vector<Schedule> rates;       // of the inputs learning_rate, learning_rate_1, …
  std::vector<RunningPower> powers;  // of the inputs behind them
  std::vector<MicroInput> inputs;    // of micro-batches, where there are several
  std::vector<bool> network;         // per node: the network's own
  std::vector<int> stages;           // per node; empty: there is one
  std::vector<size_t> ticks;         // the nodes at which ticks of the pipeline begin
};

/// Adds to `network`, whose first input are rows, and which has one output. Of `part` kApply it
/// only needs the parameters. Throws kInvalidArgument where the loss does not fit the output, a
/// group's pattern fits no parameter, or nothing is left to train; kUnsupported where an op has no
/// gradient.
TrainGraph make_train_graph(Graph network, const TrainRecipe& recipe,
                            StepPart part = StepPart::kWhole);

}  // namespace tessera
