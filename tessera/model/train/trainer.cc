#include "tessera/model/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tessera/base/stopwatch.h"
#include "tessera/base/text.h"
#include "tessera/model/internal/load_weights.h"
#include "tessera/model/spread.h"
#include "tessera/model/train/first_bad_value.h"
#include "tessera/model/train/whole_tensor.h"
#include "tessera/passes/drop_dead.h"
#include "tessera/passes/fuse.h"
#include "tessera/passes/lower.h"

namespace tessera {
namespace {

Tensor filled(DType dtype, const Shape& shape, double value) {
  Tensor made(DType::kF64, shape);
  std::ranges::fill(made.mutable_data<double>(), value);
  return made.cast(dtype);
}

/// The product of MindSpore's f32 numbers: power · option, `steps` times.
float power_after(double option, int64_t steps) {
  float power = 1;
  for (int64_t i = 0; i < steps; ++i) power *= static_cast<float>(option);
  return power;
}

/// What predicting knows and training does not.
void check_run(const RunOptions& run) {
  if (run.precision != Precision::kF32)
    fail(ErrorCode::kUnsupported,
         "a model in precision {} cannot be trained: TrainOptions::products says what its training "
         "multiplies",
         to_string(run.precision));
}

void check_rows(const Pipeline& rows) {
  require(rows.batch_count() > 0,
          "there is nothing to train with: {} has {} rows, of which no batch is read; without "
          "drop_remainder, or in smaller batches, a few rows are one",
          rows.source().name(), rows.source().size());
}

/// `before`: how many batches an epoch had in the run that goes on, 0 where nobody knows.
void check_epoch(int64_t batches, int64_t before, int64_t done) {
  require(before == 0 || batches == before,
          "an epoch has {} batches here, and {} in the run that goes on behind {} batches: give as "
          "many rows in as large batches as then, or begin anew with the checkpoint's parameters "
          "(--weights instead of --resume)",
          batches, before, done);
}

/// Each rank's number; collective.
std::vector<int64_t> of_all_ranks(Communicator* world, int64_t mine) {
  if (world == nullptr) return {mine};
  std::vector<Tensor> parts;
  for (int rank = 0; rank < world->size(); ++rank) parts.push_back(Tensor::scalar(int64_t{0}));
  world->all_gather(Tensor::scalar(mine), parts);
  std::vector<int64_t> all;
  for (const Tensor& part : parts) all.push_back(part.data<int64_t>()[0]);
  return all;
}

/// No elements of a tensor, of which another rank has some.
Tensor nothing_of(DType dtype, const Shape& shape) {
  return {dtype, Shape(shape.size(), 0)};
}

}  // namespace

TrainRecipe recipe_of(const TrainOptions& options, int parts_of_batch) {
  TrainRecipe recipe;
  recipe.loss = options.loss;
  recipe.optimizer = parse_optimizer(options.optimizer);
  recipe.groups = options.groups;
  recipe.clip_value = options.clip_value;
  recipe.clip_norm = options.clip_norm;
  recipe.accumulate = options.accumulate;
  recipe.micro_batches = options.micro_batches;
  recipe.recompute = options.recompute;
  const LossScale scale = parse_loss_scale(options.loss_scale);
  recipe.scales_loss = scale.is_used();
  recipe.drops_overflow = scale.drops_overflow();
  if (options.sum_gradients) recipe.gradient_factor = parts_of_batch;
  return recipe;
}

Trainer::Trainer(Model& model, const TrainOptions& options)
    : model_(model),
      recipe_(recipe_of(options, model.spread_ == nullptr ? 1 : model.spread_->parts_of_batch())) {
  check_run(model.options_);
  recipe_.stages = model.options_.place.stages;
  require(options.products == DType::kF32 || options.products == DType::kBF16 ||
              options.products == DType::kF16,
          "training multiplies in f32, bf16 or f16, not in {}", to_string(options.products));
  training_ = {.seed = static_cast<int64_t>(options.seed),
               .momentum = options.batch_norm_momentum,
               .products = options.products};
  loss_scale_ = parse_loss_scale(options.loss_scale);
  if (options.shard_optimizer) shared_ = options.parallel_optimizer;
  if (options.statistics_per_rank && model.spread_ != nullptr)
    training_.statistics_groups = model.spread_->parts_of_batch();
  std::map<std::string, Tensor, std::less<>> copies;
  for (const auto& [name, values] : model_.weights_) copies.emplace(name, values.clone());
  model_.weights_ = std::move(copies);
  model_.programs_.clear();
  powers_.assign(optimizer().powers.size(), 1.0F);
  // What is wrong with the recipe is said now, and the order of what is kept is known.
  const Graph one = network(training_.statistics_groups);
  parameters_ = internal::parameters_of(one);
  states_ = step_graph(least_rows(), StepPart::kWhole).kept;
  classes_ = one.type(one.outputs[0]).shape().back();
}

double Trainer::power_factor(size_t i) const {
  return std::get<double>(recipe_.optimizer.options.at(std::string(optimizer().powers[i].option)));
}

bool Trainer::all_agree(bool mine) const {
  if (world() == nullptr) return mine;
  Tensor said = Tensor::scalar(static_cast<int32_t>(mine));
  world()->broadcast(said, 0);
  return said.data<int32_t>()[0] != 0;
}

Graph Trainer::network(int64_t rows) const {
  return training_network(model_.spec_, rows, model_.row_shape_, training_, model_.options_);
}

TrainGraph Trainer::step_graph(int64_t rows, StepPart part) const {
  const int64_t of_micro_batch = std::max<int64_t>(1, rows / recipe_.micro_batches);
  return make_train_graph(network(of_micro_batch), recipe_, part);
}

Tensor& Trainer::tensor_of(const TrainGraph& step, std::string_view name, const Shape& here) {
  if (const auto weight = model_.weights_.find(name); weight != model_.weights_.end())
    return weight->second;
  if (const auto kept = kept_.find(name); kept != kept_.end()) return kept->second;
  const auto definition = std::find_if(step.kept.begin(), step.kept.end(),
                                       [&](const KeptTensor& kept) { return kept.name == name; });
  if (definition == step.kept.end())
    fail(ErrorCode::kInternal, "the training step has no tensor '{}'", name);
  return kept_.emplace(std::string(name), filled(definition->dtype, here, definition->initial))
      .first->second;
}

Trainer::Prepared Trainer::prepare(int64_t rows, StepPart part) {
  Prepared made;
  made.step = step_graph(rows, part);
  Graph graph = made.step.graph;
  const RunOptions& run = model_.options_;
  if (model_.spread_ == nullptr) {
    graph = drop_dead(fuse(std::move(graph)));
    made.inputs = internal::inputs_of(made.step, graph, nullptr);
  } else {
    const Placed placed = model_.spread_->place_training(made.step, shared_);
    for (const KeptTensor& kept : made.step.kept)
      kept_layouts_.insert_or_assign(kept.name, placed.layout(*placed.graph.find(kept.name)));
    if (part != StepPart::kApply) tell_placement(rows, part, placed);
    graph = local_graph(placed, run.world->rank());
    made.inputs = internal::inputs_of(made.step, graph, &placed);
  }
  std::vector<Tensor> parameters;
  for (const ValueId id : graph.parameters)
    parameters.push_back(
        tensor_of(made.step, graph.values[static_cast<size_t>(id)].name, graph.type(id).shape()));
  made.program = Program::compile(graph, parameters,
                                  {.threads = run.threads,
                                   .reference_only = run.reference_only,
                                   .deterministic = run.deterministic,
                                   .world = run.world});
  return made;
}

void Trainer::tell_placement(int64_t rows, StepPart part, const Placed& placed) {
  if (rank() != 0 || model_.options_.on_first_program == nullptr) return;
  const auto tell = std::exchange(model_.options_.on_first_program, nullptr);
  if (part == StepPart::kWhole) return tell(placed);
  // A step that is made of several batches, with all that checkpoints hold.
  tell(model_.spread_->place_training(step_graph(rows, StepPart::kWhole), shared_));
}

Trainer::Prepared& Trainer::prepared(int64_t rows, StepPart part) {
  const auto known = prepared_.find({rows, part});
  if (known != prepared_.end()) return known->second;
  return prepared_.emplace(std::pair(rows, part), prepare(rows, part)).first->second;
}

Tensor Trainer::input(const TrainGraph& step, const internal::StepInput& input,
                      const Batch* batch) const {
  const int64_t batches = step_count() * recipe_.accumulate + accumulated_;
  const std::string_view name = input.of;
  if (name == "step") return Tensor::scalar(batches * recipe_.micro_batches + input.micro_batch);
  if (input.has_rows())
    return internal::piece_of(input, name == "labels" ? batch->labels : batch->data, *batch,
                              recipe_.micro_batches);
  if (name == "loss_scale") return Tensor::scalar(loss_scale_.scale());
  for (size_t i = 0; i < step.powers.size(); ++i)
    if (step.powers[i].name == name)
      return Tensor::scalar(powers_[i] * static_cast<float>(power_factor(i)));
  const size_t digits = name.rfind('_');
  const auto group = parse_int(name.substr(digits + 1)).value_or(0);
  const double rate = step.rates[static_cast<size_t>(group)].rate(global_step_);
  return Tensor::scalar(static_cast<float>(rate));
}

std::vector<Tensor> Trainer::run(Prepared& prepared, const Batch* batch) {
  std::vector<Tensor> inputs;
  for (const internal::StepInput& one : prepared.inputs)
    inputs.push_back(input(prepared.step, one, batch));
  return prepared.program->run(inputs);
}

double Trainer::make_step(const Batch& batch) {
  if (!batch.bad.empty())
    fail(ErrorCode::kCorruptData,
         "row {} of the data set cannot be read: {}; training leaves no "
         "row out: take it out of the data set",
         batch.bad[0].index, batch.bad[0].reason);
  Prepared& step = prepared(batch.all_rows, part_of_batch());
  std::vector<Tensor> outputs = run(step, &batch);
  const auto loss = static_cast<double>(outputs[0].data<float>()[0]);
  if (!std::isfinite(loss)) return loss;
  if (part_of_batch() == StepPart::kAccumulate) {
    if (++accumulated_ < recipe_.accumulate) return loss;
    accumulated_ = 0;
    outputs = run(prepared(least_rows(), StepPart::kApply), nullptr);
  }
  end_step(outputs);
  return loss;
}

void Trainer::end_step(const std::vector<Tensor>& outputs) {
  model_.programs_.clear();  // they have the weights of before in them
  const bool overflowed =
      recipe_.looks_for_overflow() && !std::isfinite(outputs.back().data<float>()[0]);
  loss_scale_.update(overflowed);
  if (overflowed) {
    ++dropped_;
    return;
  }
  ++global_step_;
  for (size_t i = 0; i < powers_.size(); ++i) powers_[i] *= static_cast<float>(power_factor(i));
}

void Trainer::explain_bad_loss(Pipeline rows, double loss) {
  std::map<std::string, Tensor, std::less<>> given;
  for (const TrainedTensor& weight : weights(true))
    given[weight.name] = whole_tensor(weight, world());
  if (rank() != 0) world()->barrier();  // rank 0 never comes: it says what is wrong
  const std::optional<Batch> batch = rows.prefetch(0).next();
  const TrainGraph step = step_graph(batch->all_rows, part_of_batch());
  for (const internal::StepInput& one : internal::inputs_of(step, step.graph, nullptr))
    given[one.name] = input(step, one, &*batch);
  fail(ErrorCode::kInvalidArgument,
       "the loss of step {} is {}: {}; a smaller learning rate or clipped gradients may help",
       step_count() + 1, loss, internal::first_bad_value(step.graph, given));
}

Pipeline Trainer::part_of_rows(const Pipeline& rows) {
  if (world() == nullptr) return rows;
  const Prepared& step = prepared(rows.batch_rows(), part_of_batch());
  return internal::rows_for(rows, step.inputs, rank(), recipe_.micro_batches);
}

TrainReport Trainer::train(int64_t epochs, const Pipeline& rows,
                           std::span<Callback* const> callbacks) {
  require(epochs >= 1, "a model is trained for 1 epoch or more, got {}", epochs);
  check_rows(rows);
  internal::check_micro_batches(rows, recipe_.micro_batches);
  internal::check_groups(rows, training_.statistics_groups, recipe_.micro_batches);
  const int64_t in_epoch = rows.batch_count();
  check_epoch(in_epoch, resumed_epoch_, resumed_);
  resumed_epoch_ = 0;
  const int64_t done = std::exchange(resumed_, 0);
  require(step_count() > 0 || accumulated_ + epochs * in_epoch >= recipe_.accumulate,
          "{} epochs of {} batches are no step, which the gradients of {} batches make: accumulate "
          "fewer, or train for more epochs",
          epochs, in_epoch, recipe_.accumulate);
  const auto tell = [&](auto&& call) {
    for (Callback* callback : callbacks) call(*callback);
  };
  TrainReport report;
  const Stopwatch watch;
  tell([&](Callback& callback) { callback.begin(*this); });
  for (int64_t epoch = done / in_epoch + 1; epoch <= epochs; ++epoch) {
    tell([&](Callback& callback) { callback.epoch_begin(*this, epoch); });
    Pipeline batches = part_of_rows(rows.epoch(epoch - 1));
    StepReport step{.epoch = epoch, .epochs = epochs, .steps_in_epoch = in_epoch};
    const int64_t first = epoch == done / in_epoch + 1 ? done % in_epoch : 0;
    batches = batches.skip(first);
    for (int64_t i = first + 1; i <= in_epoch; ++i) {
      const Stopwatch step_watch;
      const std::optional<Batch> batch = batches.next();
      step.wait_seconds = step_watch.seconds();
      if (!batch) break;
      internal::check_labels(batches, *batch, classes_);
      step.learning_rate = recipe_.optimizer.rate.rate(global_step_);
      step.loss_scale = static_cast<double>(loss_scale_.scale());
      const int64_t dropped = dropped_;
      step.loss = make_step(*batch);
      if (!std::isfinite(step.loss)) explain_bad_loss(rows.epoch(epoch - 1).skip(i - 1), step.loss);
      step.is_dropped = dropped_ > dropped;
      step.step = i;
      step.global_step = step_count();
      step.rows = batch->all_rows;
      step.seconds = step_watch.seconds();
      ++report.steps;
      report.rows += step.rows;
      report.loss = step.loss;
      report.wait_seconds += step.wait_seconds;
      tell([&](Callback& callback) { callback.step_end(*this, step); });
    }
    tell([&](Callback& callback) { callback.epoch_end(*this, step); });
  }
  for (const auto& [key, made] : prepared_)
    report.activation_bytes = std::max(report.activation_bytes, made.program->activation_bytes());
  report.seconds = watch.seconds();
  report.rank_activation_bytes = of_all_ranks(world(), report.activation_bytes);
  tell([&](Callback& callback) { callback.end(*this); });
  return report;
}

std::vector<TrainedTensor> Trainer::weights(bool all) const {
  std::vector<TrainedTensor> found;
  for (const NetworkParameter& parameter : parameters_) {
    const auto weight = model_.weights_.find(parameter.name);
    const bool is_here = weight != model_.weights_.end();
    if (!is_here && !all) continue;
    const Layout* layout =
        model_.spread_ == nullptr ? nullptr : model_.spread_->layout(parameter.name);
    found.push_back({parameter.name,
                     is_here ? weight->second : nothing_of(parameter.dtype, parameter.shape),
                     parameter.shape, layout == nullptr ? Layout{} : *layout});
  }
  return found;
}

std::vector<TrainedTensor> Trainer::states(bool all) const {
  std::vector<TrainedTensor> found;
  for (const KeptTensor& state : states_) {
    const auto kept = kept_.find(state.name);
    const auto layout = kept_layouts_.find(state.name);
    const bool is_here = kept != kept_.end();
    if (!is_here && (!all || layout == kept_layouts_.end())) continue;
    found.push_back({state.name, is_here ? kept->second : nothing_of(state.dtype, state.shape),
                     state.shape, layout == kept_layouts_.end() ? Layout{} : layout->second});
  }
  return found;
}

std::vector<TrainedTensor> Trainer::tensors() const {
  return tensors(false);
}

std::vector<TrainedTensor> Trainer::tensors_of_all_ranks() const {
  return tensors(true);
}

std::vector<TrainedTensor> Trainer::tensors(bool everywhere) const {
  std::vector<TrainedTensor> all = weights(everywhere);
  const auto number = [&](std::string_view name, double value) {
    all.push_back({std::string(name), Tensor::scalar(static_cast<float>(value)), {}});
  };
  const bool saves_scale = recipe_.looks_for_overflow();
  if (saves_scale) number("scale_sense", static_cast<double>(loss_scale_.scale()));
  Tensor step(DType::kI32, {1});
  step.mutable_data<int32_t>()[0] = static_cast<int32_t>(global_step_);
  all.push_back({"global_step", step, {1}});
  if (recipe_.optimizer.rate.is_constant()) number("learning_rate", recipe_.optimizer.rate.rate(0));
  for (const std::string_view option : optimizer().saved_options)
    number(option, std::get<double>(recipe_.optimizer.options.find(option)->second));
  for (size_t i = 0; i < powers_.size(); ++i)
    if (optimizer().powers[i].is_saved)
      number(optimizer().powers[i].name, static_cast<double>(powers_[i]));
  const std::vector<TrainedTensor> kept = states(everywhere);
  all.insert(all.end(), kept.begin(), kept.end());
  if (saves_scale) {
    all.push_back({"current_iterator_step", Tensor::scalar(loss_scale_.iteration()), {}});
    all.push_back({"last_overflow_iterator_step", Tensor::scalar(loss_scale_.last_overflow()), {}});
  }
  return all;
}

/// What lies beside the parameters between two steps, as it is before the first.
void Trainer::make_kept() {
  constexpr int64_t kAnyRows = 32;
  const StepPart part = recipe_.accumulate == 1 ? StepPart::kWhole : StepPart::kApply;
  const TrainGraph step = step_graph(kAnyRows * least_rows(), part);
  std::optional<Placed> placed;
  if (model_.spread_ != nullptr) placed = model_.spread_->place_training(step, shared_);
  for (const KeptTensor& kept : step.kept) {
    Shape here = kept.shape;
    if (placed) {
      const Layout layout = placed->layout(*placed->graph.find(kept.name));
      kept_layouts_.insert_or_assign(kept.name, layout);
      if (!layout.mesh->find_place(rank())) continue;
      here = local_box(layout, kept.shape, rank()).size;
    }
    tensor_of(step, kept.name, here);
  }
}

void Trainer::restore(const ModelSource& source) {
  make_kept();
  std::vector<TrainedTensor> all = weights(true);
  const std::vector<TrainedTensor> kept = states(true);
  all.insert(all.end(), kept.begin(), kept.end());
  const MeshPtr everyone = make_mesh({{"all", world() == nullptr ? 1 : world()->size()}});
  std::vector<WantedParameter> wanted = {
      {{"global_step", DType::kI32, {1}}, replicated(everyone, 1)}};
  if (recipe_.looks_for_overflow()) {
    wanted.push_back({{"scale_sense", DType::kF32, {}}, replicated(everyone, 0)});
    for (const char* name : {"current_iterator_step", "last_overflow_iterator_step"})
      wanted.push_back({{name, DType::kI32, {}}, replicated(everyone, 0)});
  }
  wanted.push_back({{std::string(kBatchesInEpoch), DType::kI64, {}}, replicated(everyone, 0)});
  ModelSource known = source;
  known.match.allow.emplace_back(kBatchesInEpoch);  // not everybody saves it
  for (const TrainedTensor& tensor : all)
    wanted.push_back({{tensor.name, tensor.values.dtype(), tensor.shape},
                      tensor.layout.mesh != nullptr ? tensor.layout
                                                    : replicated(everyone, tensor.shape.size())});
  const ErrorContext context([&] {
    return fmt::format("going on from {}: what was saved by training with {} is wanted",
                       source.weights.front().string(), to_string(recipe_.optimizer));
  });
  const internal::Weights stored = internal::load_wanted(known, wanted, world());
  const int64_t step = stored.at("global_step").data<int32_t>()[0];
  require(step >= 0, "global_step is {}", step);
  for (TrainedTensor& tensor : all)
    if (const auto here = stored.find(tensor.name); here != stored.end())
      copy_elements(here->second, tensor.values);
  global_step_ = step;
  dropped_ = 0;
  if (recipe_.looks_for_overflow()) {
    const auto iteration = stored.at("current_iterator_step").data<int32_t>()[0];
    loss_scale_.restore(stored.at("scale_sense").data<float>()[0], iteration,
                        stored.at("last_overflow_iterator_step").data<int32_t>()[0]);
    require(iteration - 1 >= step, "current_iterator_step is {} after {} steps", iteration, step);
    dropped_ = iteration - 1 - step;
  }
  resumed_ = step_count() * recipe_.accumulate;
  const auto batches = stored.find(kBatchesInEpoch);
  resumed_epoch_ = batches == stored.end() ? 0 : batches->second.data<int64_t>()[0];
  for (size_t i = 0; i < powers_.size(); ++i) powers_[i] = power_after(power_factor(i), step);
  model_.programs_.clear();
}

TrainReport Model::train(int64_t epochs, const Pipeline& rows, const TrainOptions& options,
                         std::span<Callback* const> callbacks) {
  return Trainer(*this, options).train(epochs, rows, callbacks);
}

}  // namespace tessera
