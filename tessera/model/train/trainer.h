// Training: MindSpore's Model.train over a model that is open.
//
//   Model model = Model::open({.model = "lenet5"});
//   Trainer trainer(model, {.optimizer = "momentum(learning_rate=0.01,momentum=0.9)"});
//   LossMonitor monitor;
//   trainer.train(10, data, {&monitor});            // data: Pipeline of batches
//
// Of many ranks each runs the same; parameters and what the optimizer keeps lie as the model's
// placement says.
#pragma once

#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "tessera/model/model.h"
#include "tessera/model/train/parallel_optimizer.h"
#include "tessera/model/train/step_input.h"
#include "tessera/passes/training.h"
#include "tessera/train/loss_scale.h"
#include "tessera/train/train_graph.h"

namespace tessera {

struct TrainOptions {
  std::string optimizer = "momentum";  // in the notation of train/optimizer.h
  std::string loss = "sparse_softmax_cross_entropy";
  std::vector<ParameterGroup> groups = {};
  double clip_value = 0;  // as TrainRecipe has them
  double clip_norm = 0;
  int accumulate = 1;
  int micro_batches = 1;  // with the model's pipeline stages as many as those, or more
  /// By what the loss is multiplied before its gradients are computed, in the notation of
  /// train/loss_scale.h; empty: not at all.
  std::string loss_scale = {};
  /// bf16 or f16: convolutions and products read and give numbers of it, as MindSpore's amp_level
  /// "O1"; parameters, what the optimizer keeps, norms and the loss stay f32.
  DType products = DType::kF32;
  /// Scopes whose values are not kept for the backward pass but computed again, as
  /// passes/recompute.h says: "layer1.*". The same bits in less memory.
  std::vector<std::string> recompute = {};
  uint64_t seed = 0;                 // of what dropout drops
  double batch_norm_momentum = 0.9;  // of moving statistics
  /// Batch norm takes its statistics over each rank's rows, as MindSpore's data_parallel does,
  /// instead of over the whole batch.
  bool statistics_per_rank = false;
  /// Ranks that hold the same parameters share what the optimizer keeps of them: each makes its
  /// part of the step, and the parameters are gathered again.
  bool shard_optimizer = false;
  /// How, where they do. Parameters themselves are cut so by RunOptions.place.cut_further.
  ParallelOptimizer parallel_optimizer = {.gradient_accumulation_shard = true,
                                          .parallel_optimizer_threshold = 0};
  /// The step is made with the sum of the gradients of the ranks' own losses, the means over their
  /// rows, not with the mean of these: MindSpore's data_parallel without gradients_mean.
  bool sum_gradients = false;
};

/// What the options say of a step, where the batch is in so many parts.
TrainRecipe recipe_of(const TrainOptions& options, int parts_of_batch = 1);

/// A step that has been made.
struct StepReport {
  int64_t epoch = 0;  // from 1
  int64_t epochs = 0;
  int64_t step = 0;            // of the epoch, from 1
  int64_t steps_in_epoch = 0;  // batches of the epoch
  int64_t global_step = 0;     // steps made before and now, dropped ones too, from 1
  int64_t rows = 0;            // of the batch
  double loss = 0;             // the batch's mean
  double seconds = 0;          // of the step
  double wait_seconds = 0;     // for its rows
  double learning_rate = 0;
  double loss_scale = 1;  // of the step
  /// Scaled gradients were no finite numbers: the step has changed nothing.
  bool is_dropped = false;
};

class Trainer;

/// What is called while a model is trained; of many ranks on each.
class Callback {
 public:
  virtual ~Callback() = default;
  virtual void begin(Trainer& /*trainer*/) {}
  virtual void epoch_begin(Trainer& /*trainer*/, int64_t /*epoch*/) {}
  virtual void step_end(Trainer& /*trainer*/, const StepReport& /*step*/) {}
  virtual void epoch_end(Trainer& /*trainer*/, const StepReport& /*last*/) {}
  virtual void end(Trainer& /*trainer*/) {}
};

struct TrainReport {
  int64_t steps = 0;
  int64_t rows = 0;
  double loss = std::numeric_limits<double>::quiet_NaN();  // of the last step, if there was one
  double seconds = 0;
  double wait_seconds = 0;  // of these, how long the program waited for rows
  /// What a step keeps on this rank beside parameters and what the optimizer keeps.
  int64_t activation_bytes = 0;
  std::vector<int64_t> rank_activation_bytes = {};  // of every rank: pipeline stages differ
};

/// A tensor or number of a training run, by the name that MindSpore's checkpoints give it.
struct TrainedTensor {
  std::string name;
  Tensor values;  // of many ranks this one's part
  Shape shape;    // of all of it
  Layout layout = {};
};

class Trainer {
 public:
  /// The model's weights are copied, so that files that they were mapped from stay as they are; the
  /// model has the trained ones from then on. The model must outlive this.
  Trainer(Model& model, const TrainOptions& options);

  /// Reads all of `rows` in each epoch; shuffled rows come in another order in every epoch. Throws
  /// kInvalidArgument for no rows, for labels that the loss does not take, and where the loss is no
  /// number: then the model is as it was before that step, and the message says which node gave the
  /// first such value.
  TrainReport train(int64_t epochs, const Pipeline& rows,
                    std::span<Callback* const> callbacks = {});

  /// Everything that a checkpoint of a training run holds, in MindSpore's order: the network's
  /// parameters, global_step, learning_rate, the optimizer's numbers, its states.
  std::vector<TrainedTensor> tensors() const;
  /// The same list on every rank: also tensors of other pipeline stages, of which nothing is here.
  std::vector<TrainedTensor> tensors_of_all_ranks() const;
  /// Steps that the optimizer made so far.
  int64_t global_step() const { return global_step_; }
  /// These and those that were dropped, as StepReport counts them; the epoch that the next step
  /// belongs to follows from it.
  int64_t step_count() const { return global_step_ + dropped_; }
  const LossScale& loss_scale() const { return loss_scale_; }
  /// Goes on where a training run was saved: its parameters, what its optimizer kept, its step. The
  /// next train() begins at the batch after that step, and throws where epochs are known to have
  /// had other numbers of batches. Of `source` only weights, strategy, open and match are looked
  /// at. Collective. Throws kInvalidArgument for tensors that are missing or of another shape.
  void restore(const ModelSource& source);
  /// The ranks that train together, and which of them this is; null and 0 alone.
  Communicator* world() const { return model_.options_.world; }
  Rank rank() const { return world() == nullptr ? 0 : world()->rank(); }
  /// Whether rank 0 says so: what clocks decide, decided once. Collective.
  bool all_agree(bool mine) const;

  Model& model() { return model_; }
  const TrainRecipe& recipe() const { return recipe_; }
  const OptimizerDef& optimizer() const { return *recipe_.optimizer.definition; }

 private:
  /// A program for batches of one size.
  struct Prepared {
    TrainGraph step;
    std::vector<internal::StepInput> inputs;  // of the program
    std::optional<Program> program;
  };

  double power_factor(size_t i) const;
  /// The network's parameters, and what the optimizer keeps: those that lie here, or all.
  std::vector<TrainedTensor> weights(bool all) const;
  std::vector<TrainedTensor> states(bool all) const;
  std::vector<TrainedTensor> tensors(bool all) const;
  Pipeline part_of_rows(const Pipeline& rows);
  StepPart part_of_batch() const {  // what is run with a batch
    return recipe_.accumulate == 1 ? StepPart::kWhole : StepPart::kAccumulate;
  }
  int64_t least_rows() const { return training_.statistics_groups * recipe_.micro_batches; }
  Graph network(int64_t rows) const;
  TrainGraph step_graph(int64_t rows, StepPart part) const;
  Prepared& prepared(int64_t rows, StepPart part);
  Prepared prepare(int64_t rows, StepPart part);
  void tell_placement(int64_t rows, StepPart part, const Placed& placed);
  Tensor& tensor_of(const TrainGraph& step, std::string_view name, const Shape& here);
  std::vector<Tensor> run(Prepared& prepared, const Batch* batch);
  double make_step(const Batch& batch);  // changes nothing where the loss is no finite number
  void end_step(const std::vector<Tensor>& outputs);
  Tensor input(const TrainGraph& step, const internal::StepInput& input, const Batch* batch) const;
  [[noreturn]] void explain_bad_loss(Pipeline rows, double loss);  // of the first batch; collective
  void make_kept();

  Model& model_;
  TrainRecipe recipe_;
  TrainingOptions training_;
  std::map<std::string, Tensor, std::less<>> kept_;          // what lies beside the parameters
  std::map<std::string, Layout, std::less<>> kept_layouts_;  // of many ranks
  std::optional<ParallelOptimizer> shared_;   // how ranks share what the optimizer keeps
  std::vector<NetworkParameter> parameters_;  // in the order of a checkpoint
  std::vector<KeptTensor> states_;
  std::vector<float> powers_;  // after the last step, per RunningPower
  LossScale loss_scale_;
  int64_t classes_ = 0;  // that labels may name
  int64_t global_step_ = 0;
  int64_t dropped_ = 0;                      // steps, for an overflow
  int64_t resumed_ = 0, resumed_epoch_ = 0;  // batches of the run that goes on, and of its epochs
  int64_t accumulated_ = 0;                  // batches since the last step
  std::map<std::pair<int64_t, StepPart>, Prepared> prepared_;
};

}  // namespace tessera
