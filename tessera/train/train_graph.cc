#include "tessera/train/train_graph.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "tessera/base/text.h"
#include "tessera/ops/ops.h"
#include "tessera/ops/registry.h"
#include "tessera/passes/gradients.h"
#include "tessera/passes/place.h"
#include "tessera/passes/recompute.h"

namespace tessera {
namespace {

size_t at(ValueId id) {
  return static_cast<size_t>(id);
}

/// A trained parameter and how.
struct Trained {
  Value value;
  int group = -1;   // -1: none
  size_t rate = 0;  // which of the rates
  double weight_decay = 0;
};

bool is_norm(std::string_view name) {
  return name.find("beta") != std::string_view::npos ||
         name.find("gamma") != std::string_view::npos;
}

class Builder {
 public:
  Builder(Graph network, const TrainRecipe& recipe, StepPart part) : recipe_(recipe), part_(part) {
    made_.graph = std::move(network);
    made_.network.assign(made_.graph.nodes.size(), true);
    find_trained();
    find_rates();
    if (has_stages()) find_stages();
  }

  TrainGraph run() {
    Graph& g = graph();
    std::vector<Value> gradients;
    if (part_ == StepPart::kApply) {
      replace_graph(parameters_only());
      made_.network.clear();
      for (const Trained& trained : trained_)
        gradients.push_back(keep(kGradientSums, 0, trained.value));
    } else {
      gradients = backward();
    }
    if (part_ == StepPart::kAccumulate) {
      accumulate(gradients);
    } else {
      step(gradients);
    }
    if (part_ == StepPart::kApply) clear(gradients);
    made_.network.resize(g.nodes.size(), false);
    if (has_stages()) complete_stages(made_.stages, g, stages_of_parameters());
    verify(g);
    return std::move(made_);
  }

 private:
  Graph& graph() { return made_.graph; }
  const std::string& name(Value value) const { return made_.graph.values[at(value.id)].name; }

  bool has_stages() const { return recipe_.stages.size() > 1; }

  void replace_graph(Graph made) {
    graph() = std::move(made);
    for (size_t i = 0; i < trained_.size(); ++i)
      trained_[i].value = {&graph(), *graph().find(made_.trained[i])};
    if (scale_) scale_ = {&graph(), *graph().find("loss_scale")};
  }

  /// A parameter is of the stage of the first node that reads it.
  void find_stages() {
    const std::vector<int> of_nodes = stages_of_nodes(graph(), recipe_.stages);
    for (size_t n = of_nodes.size(); n-- > 0;)
      for (const ValueId id : graph().nodes[n].operands)
        parameter_stages_.insert_or_assign(graph().values[at(id)].name, of_nodes[n]);
  }

  /// Per value of the graph; -1 for what is no parameter.
  std::vector<int> stages_of_parameters() const {
    std::map<std::string_view, std::string_view> owners;
    for (const KeptTensor& kept : made_.kept) owners.emplace(kept.name, kept.parameter);
    std::vector<int> stages(made_.graph.values.size(), -1);
    for (const ValueId id : made_.graph.parameters) {
      const std::string_view own = made_.graph.values[at(id)].name;
      const auto owner = owners.find(own);
      const auto known = parameter_stages_.find(owner == owners.end() ? own : owner->second);
      stages[at(id)] = known == parameter_stages_.end() ? 0 : known->second;
    }
    return stages;
  }

  /// The statistics of batch norm are not trained.
  std::vector<bool> statistics() const {
    std::vector<bool> is(made_.graph.values.size(), false);
    for (const Node& node : made_.graph.nodes)
      if (node.op->name == "batch_norm")
        for (const size_t i : {size_t{3}, size_t{4}}) is[at(node.operands[i])] = true;
    for (const Update& update : made_.graph.updates) is[at(update.parameter)] = true;
    return is;
  }

  void find_trained() {
    const std::vector<bool> is_statistic = statistics();
    std::vector<bool> fits(recipe_.groups.size(), false);
    for (const ValueId id : graph().parameters) {
      const ValueInfo& info = graph().values[at(id)];
      if (is_statistic[at(id)] || !tessera::info(info.dtype).is_floating) continue;
      Trained trained{{&graph(), id}};
      for (size_t g = 0; g < recipe_.groups.size() && trained.group < 0; ++g) {
        if (!matches(recipe_.groups[g].pattern, info.name)) continue;
        trained.group = static_cast<int>(g);
        fits[g] = true;
      }
      if (trained.group >= 0 && group(trained).is_frozen) continue;
      trained.weight_decay = decay_of(trained, info.name);
      trained_.push_back(trained);
      made_.trained.push_back(info.name);
    }
    for (size_t g = 0; g < fits.size(); ++g)
      require(fits[g], "no trainable parameter fits the pattern '{}' of a group of parameters",
              printable(recipe_.groups[g].pattern));
    require(!trained_.empty(), "the network has no parameter to train");
  }

  const ParameterGroup& group(const Trained& trained) const {
    return recipe_.groups[static_cast<size_t>(trained.group)];
  }

  double decay_of(const Trained& trained, std::string_view name) const {
    if (trained.group >= 0 && group(trained).weight_decay) return *group(trained).weight_decay;
    const bool spared = recipe_.optimizer.definition->spares_norms && is_norm(name);
    return spared ? 0 : recipe_.optimizer.weight_decay();
  }

  void find_rates() {
    made_.rates = {recipe_.optimizer.rate};
    std::vector<size_t> of_group(recipe_.groups.size(), 0);
    for (size_t g = 0; g < recipe_.groups.size(); ++g) {
      if (!recipe_.groups[g].rate) continue;
      of_group[g] = made_.rates.size();
      made_.rates.push_back(*recipe_.groups[g].rate);
    }
    for (Trained& trained : trained_)
      if (trained.group >= 0) trained.rate = of_group[static_cast<size_t>(trained.group)];
  }

  /// The network's parameters without what it computes.
  Graph parameters_only() const {
    Graph only;
    for (const ValueId id : made_.graph.parameters) {
      const ValueInfo& info = made_.graph.values[at(id)];
      only.add_parameter(info.name, info.dtype, info.shape);
    }
    return only;
  }

  Value scalar_input(std::string name) {
    return {&graph(), graph().add_input(std::move(name), DType::kF32, {})};
  }
  Value number(double value) {
    return {&graph(), graph().add_constant(graph().unused_name("number"),
                                           Tensor::scalar(static_cast<float>(value)))};
  }
  static Value as(Value value, DType dtype) {
    if (value.dtype() == dtype) return value;
    return cast(value, {{"dtype", std::string(to_string(dtype))}});
  }
  static Value as_f32(Value value) { return as(value, DType::kF32); }
  static Value like(Value scalar, Value tensor) { return as(scalar, tensor.dtype()); }

  Value add_loss() {
    Graph& g = graph();
    require(
        !g.inputs.empty() && g.outputs.size() == 1,
        "a network of rows and one output can be trained, this one has {} inputs and {} outputs",
        g.inputs.size(), g.outputs.size());
    const OpDef* found = find_op(recipe_.loss);
    require(found != nullptr && found->operands.size() == 2 &&
                found->operands[1].dtypes == DTypes::kIndex,
            "'{}' is no loss of outputs and class labels; sparse_softmax_cross_entropy is one",
            printable(recipe_.loss));
    const OpDef& op = *found;
    const Value output{&g, g.outputs[0]};
    const int64_t rows = g.values[at(g.inputs[0])].shape[0];
    const ValueId labels = g.add_input("labels", DType::kI32, {rows});
    const InScope scope(g, "loss");
    const Value losses{&g, g.emit(op, {output.id, labels}, {}, "loss")[0]};
    return as_f32(reduce_mean(losses));
  }

  std::vector<Value> backward() {
    Graph& g = graph();
    const size_t network_nodes = g.nodes.size();
    const Value loss = add_loss();
    g.outputs = {loss.id};
    OneMicroBatch one{.loss = loss.id, .network_nodes = network_nodes};
    one.forward_nodes = g.nodes.size();
    if (has_stages()) one.stages = stages_of_nodes(g, recipe_.stages);
    ValueId seed = -1;
    if (recipe_.scales_loss) {
      scale_ = scalar_input("loss_scale");
      seed = scale_->id;
      one.shared_inputs = {"loss_scale"};
    }
    std::vector<ValueId> wanted;
    for (const Trained& trained : trained_) wanted.push_back(trained.value.id);
    std::vector<Value> gradients;
    std::vector<size_t> origins;
    one.gradients = add_gradients(g, loss.id, wanted, seed, &origins);
    if (has_stages())
      for (const size_t origin : origins) one.stages.push_back(one.stages[origin]);
    if (!recipe_.recompute.empty()) compute_again(one);
    if (recipe_.micro_batches > 1 || has_stages()) repeat_in_micro_batches(one);
    for (const ValueId id : one.gradients) gradients.push_back({&g, id});
    loss_ = {&g, g.outputs[0]};
    const InScope scope(g, "optimizer");
    if (scale_)
      for (Value& gradient : gradients) gradient = div(gradient, like(*scale_, gradient));
    if (recipe_.gradient_factor != 1)
      for (Value& gradient : gradients)
        gradient = mul(gradient, like(number(recipe_.gradient_factor), gradient));
    return gradients;
  }

  /// Of the graph, which is of one micro-batch, keeps less for its backward pass.
  void compute_again(OneMicroBatch& one) {
    std::vector<ValueId>& needed = graph().outputs;
    needed.insert(needed.end(), one.gradients.begin(), one.gradients.end());
    Recomputed made = recompute(graph(), one.loss, recipe_.recompute, one.stages);
    std::vector<ValueId> outputs = std::exchange(made.graph.outputs, {});
    one.loss = outputs[0];
    one.gradients.assign(outputs.begin() + 1, outputs.end());
    made.graph.outputs = {one.loss};
    replace_graph(std::move(made.graph));
    // What is computed again stands behind the loss, and is not the network's own.
    const std::vector<size_t>& origins = made.origins;
    const std::vector<Node>& nodes = graph().nodes;
    const auto is_loss = [&](const Node& node) { return node.results[0] == one.loss; };
    const auto loss = std::find_if(nodes.begin(), nodes.end(), is_loss) - nodes.begin();
    one.forward_nodes = static_cast<size_t>(loss) + 1;
    const auto is_network = [&](size_t origin) { return origin < one.network_nodes; };
    one.network_nodes =
        static_cast<size_t>(std::count_if(origins.begin(), origins.begin() + loss + 1, is_network));
    made_.network.assign(one.network_nodes, true);
    if (one.stages.empty()) return;
    std::vector<int> stages;
    for (const size_t origin : origins) stages.push_back(one.stages[origin]);
    one.stages = std::move(stages);
  }

  /// Makes of the graph, which is of one micro-batch, that of all of them.
  void repeat_in_micro_batches(OneMicroBatch& one) {
    one.stages.resize(graph().nodes.size(), 0);
    one.graph = std::move(graph());
    MicroBatches made = repeat(one, recipe_.micro_batches);
    replace_graph(std::move(made.graph));
    one.gradients = std::move(made.gradients);
    made_.inputs = std::move(made.inputs);
    made_.network = std::move(made.network);
    if (!has_stages()) return;
    made_.stages = std::move(made.stages);
    made_.ticks = std::move(made.ticks);
  }

  /// A tensor beside a parameter, which is a parameter of the graph too.
  Value keep(std::string_view prefix, double initial, Value parameter) {
    const std::string name_of = fmt::format("{}.{}", prefix, name(parameter));
    made_.kept.push_back({name_of, parameter.dtype(), parameter.shape(), initial, name(parameter)});
    return {&graph(), graph().add_parameter(name_of, parameter.dtype(), parameter.shape())};
  }

  void update(Value parameter, Value value) { graph().updates.push_back({parameter.id, value.id}); }

  void accumulate(const std::vector<Value>& gradients) {
    const InScope scope(graph(), "optimizer");
    const Value count = number(recipe_.accumulate);
    for (size_t i = 0; i < gradients.size(); ++i) {
      const Value sum = keep(kGradientSums, 0, trained_[i].value);
      update(sum, add(sum, div(gradients[i], like(count, gradients[i]))));
      // It stays as it is, but no constant: the other graph changes it between two runs.
      update(trained_[i].value, trained_[i].value);
    }
  }

  /// 0 times a value: nothing, or no number where the value is none.
  Value nothing_of(Value value) { return mul(value, number(0)); }

  void clip(std::vector<Value>& gradients) {
    if (recipe_.clip_value > 0) {
      for (Value& gradient : gradients) {
        const Value limit = like(number(recipe_.clip_value), gradient);
        const Value above = sub(gradient, relu(sub(gradient, limit)));  // min(g, limit)
        gradient = add(above, relu(sub(neg(limit), above)));            // max(that, -limit)
      }
    }
    if (recipe_.clip_norm <= 0) return;
    std::optional<Value> squares;
    for (const Value gradient : gradients) {
      const Value sum = as_f32(reduce_sum(mul(gradient, gradient)));
      squares = squares ? add(*squares, sum) : sum;
    }
    const Value limit = number(recipe_.clip_norm);
    const Value largest = add(limit, relu(sub(sqrt(*squares), limit)));  // max(norm, limit)
    const Value factor = div(limit, largest);
    for (Value& gradient : gradients) gradient = mul(gradient, like(factor, gradient));
  }

  void step(std::vector<Value> gradients) {
    Graph& g = graph();
    const OptimizerDef& optimizer = *recipe_.optimizer.definition;
    std::vector<Value> rates;
    for (size_t i = 0; i < made_.rates.size(); ++i)
      rates.push_back(scalar_input(i == 0 ? "learning_rate" : fmt::format("learning_rate_{}", i)));
    std::vector<Value> powers;
    made_.powers = optimizer.powers;
    for (const RunningPower& power : optimizer.powers)
      powers.push_back(scalar_input(std::string(power.name)));
    const InScope scope(g, "optimizer");
    guard(rates, gradients);
    clip(gradients);
    const std::vector<OptimizerState> states = optimizer.states(recipe_.optimizer.options);
    std::vector<std::vector<Value>> kept(trained_.size());
    for (const OptimizerState& state : states)
      for (size_t i = 0; i < trained_.size(); ++i)
        kept[i].push_back(keep(state.prefix, state.initial, trained_[i].value));
    for (size_t i = 0; i < trained_.size(); ++i) {
      const Trained& trained = trained_[i];
      const UpdateCall call{trained.value,
                            gradients[i],
                            kept[i],
                            rates[trained.rate],
                            powers,
                            trained.weight_decay,
                            recipe_.optimizer.options};
      const std::vector<Value> made = optimizer.update(call);
      update(trained.value, made[0]);
      for (size_t s = 0; s < kept[i].size(); ++s) update(kept[i][s], made[1 + s]);
    }
  }

  /// A step whose loss, or with scaled losses a gradient, is no finite number changes nothing: the
  /// rate is no number then.
  void guard(std::vector<Value>& rates, const std::vector<Value>& gradients) {
    std::optional<Value> bad;
    if (recipe_.looks_for_overflow()) {
      for (const Value gradient : gradients) {
        const Value sum = nothing_of(as_f32(reduce_sum(gradient)));
        bad = bad ? add(*bad, sum) : sum;
      }
      graph().outputs.push_back(bad->id);
    }
    if (loss_) bad = bad ? add(*bad, nothing_of(*loss_)) : nothing_of(*loss_);
    if (!bad) return;
    for (Value& rate : rates) rate = add(rate, *bad);
  }

  void clear(const std::vector<Value>& tensors) {
    for (const Value tensor : tensors) {
      Tensor zeros(tensor.dtype(), tensor.shape());
      std::ranges::fill(zeros.mutable_bytes(), std::byte{});
      update(tensor, {&graph(), graph().add_constant(graph().unused_name("zeros"), zeros)});
    }
  }

  const TrainRecipe& recipe_;
  StepPart part_;
  TrainGraph made_;
  std::vector<Trained> trained_;
  std::optional<Value> loss_;
  std::optional<Value> scale_;
  std::map<std::string, int, std::less<>> parameter_stages_;  // by name; filled for several stages
};

}  // namespace

TrainGraph make_train_graph(Graph network, const TrainRecipe& recipe, StepPart part) {
  require(recipe.optimizer.definition != nullptr, "a recipe for training names an optimizer");
  require(recipe.micro_batches >= 1, "a batch cannot be cut into {} micro-batches",
          recipe.micro_batches);
  require(recipe.accumulate >= 1, "gradients of {} batches cannot be summed up", recipe.accumulate);
  require(recipe.gradient_factor > 0, "gradients cannot be multiplied by {}",
          recipe.gradient_factor);
  require(recipe.clip_value >= 0 && recipe.clip_norm >= 0,
          "gradients are clipped at numbers above 0, got {} and {}", recipe.clip_value,
          recipe.clip_norm);
  return Builder(std::move(network), recipe, part).run();
}

}  // namespace tessera
