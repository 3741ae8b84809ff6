#include "tessera/train/micro_batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "tessera/ops/ops.h"

namespace tessera {
namespace {

size_t at(int id) {
  return static_cast<size_t>(id);
}

/// What a stage does, in order: as many micro-batches forward as the stages behind it need before
/// the first one comes back, then one forward and one backward.
std::vector<PipelineUnit> units_of(int stage, int stages, int micro_batches) {
  std::vector<PipelineUnit> units;
  int forward = std::min(micro_batches, stages - stage - 1);
  for (int m = 0; m < forward; ++m) units.push_back({0, stage, m, false});
  for (int m = 0; m < micro_batches; ++m) {
    if (forward < micro_batches) units.push_back({0, stage, forward++, false});
    units.push_back({0, stage, m, true});
  }
  return units;
}

/// The ticks of what has been done.
class Done {
 public:
  Done(int stages, int micro_batches)
      : stages_(stages), forward_(at(stages), std::vector<int>(at(micro_batches), kNever)) {
    backward_ = forward_;
  }

  bool is_ready(const PipelineUnit& unit) const {
    if (!unit.is_backward)
      return unit.stage == 0 || forward_[at(unit.stage - 1)][at(unit.micro_batch)] < unit.tick;
    if (forward_[at(unit.stage)][at(unit.micro_batch)] >= unit.tick) return false;
    return unit.stage == stages_ - 1 ||
           backward_[at(unit.stage + 1)][at(unit.micro_batch)] < unit.tick;
  }
  void note(const PipelineUnit& unit) {
    (unit.is_backward ? backward_ : forward_)[at(unit.stage)][at(unit.micro_batch)] = unit.tick;
  }

 private:
  static constexpr int kNever = std::numeric_limits<int>::max();
  int stages_;
  std::vector<std::vector<int>> forward_;  // per stage and micro-batch
  std::vector<std::vector<int>> backward_;
};

class Repeat {
 public:
  Repeat(const OneMicroBatch& one, int micro_batches) : one_(one), count_(micro_batches) {
    const Graph& graph = one.graph;
    maps_.assign(at(count_), std::vector<ValueId>(graph.values.size(), -1));
    for (const int stage : one.stages) stages_ = std::max(stages_, stage + 1);
    for (const ValueId id : graph.inputs) add_input(id);
    for (const ValueId id : graph.parameters) {
      const ValueId made = append(id, value(id).name);
      made_.graph.parameters.push_back(made);
      share(id, made);
    }
    for (const auto& [id, tensor] : graph.constants) {
      const ValueId made = append(id, value(id).name);
      made_.graph.constants.emplace(made, tensor);
      share(id, made);
    }
    made_.gradients.assign(one.gradients.size(), -1);
    find_stages();
  }

  MicroBatches run() {
    int tick = -1;
    for (const PipelineUnit& unit : one_forward_one_backward(stages_, count_)) {
      if (unit.tick != tick && stages_ > 1) made_.ticks.push_back(made_.graph.nodes.size());
      tick = unit.tick;
      add_unit(unit);
    }
    if (stages_ > 1) made_.ticks.push_back(made_.graph.nodes.size());
    made_.graph.outputs = {loss_};
    for (const Update& update : one_.graph.updates)
      made_.graph.updates.push_back(
          {maps_[0][at(update.parameter)], maps_.back()[at(update.value)]});
    made_.graph.names.sync(made_.graph.values);
    return std::move(made_);
  }

 private:
  const ValueInfo& value(ValueId id) const { return one_.graph.values[at(id)]; }
  std::string name_in(ValueId id, int micro_batch) const {
    return count_ == 1 ? value(id).name : fmt::format("{}@{}", value(id).name, micro_batch);
  }
  ValueId append(ValueId like, std::string name) {
    ValueInfo info = value(like);
    info.name = std::move(name);
    made_.graph.values.push_back(std::move(info));
    return static_cast<ValueId>(made_.graph.values.size() - 1);
  }
  void share(ValueId id, ValueId made) {
    for (auto& map : maps_) map[at(id)] = made;
  }

  void add_input(ValueId id) {
    const auto& shared = one_.shared_inputs;
    const bool is_shared = std::find(shared.begin(), shared.end(), value(id).name) != shared.end();
    for (int m = 0; m < (is_shared ? 1 : count_); ++m) {
      const ValueId made = append(id, is_shared ? value(id).name : name_in(id, m));
      made_.graph.inputs.push_back(made);
      if (is_shared) {
        share(id, made);
      } else {
        maps_[at(m)][at(id)] = made;
        made_.inputs.push_back({made_.graph.values[at(made)].name, value(id).name, m});
      }
    }
  }

  /// Which stage computes what; constants count as the first stage's.
  void find_stages() {
    stage_of_.assign(one_.graph.values.size(), 0);
    for (size_t n = 0; n < one_.graph.nodes.size(); ++n)
      for (const ValueId id : one_.graph.nodes[n].results) stage_of_[at(id)] = one_.stages[n];
    gradients_of_.resize(at(stages_));
    for (size_t i = 0; i < one_.gradients.size(); ++i)
      gradients_of_[at(stage_of_[at(one_.gradients[i])])].push_back(i);
  }

  void add_unit(const PipelineUnit& unit) {
    const size_t count = one_.graph.nodes.size();
    const size_t begin = unit.is_backward ? one_.forward_nodes : 0;
    const size_t end = unit.is_backward ? count : one_.forward_nodes;
    for (size_t n = begin; n < end; ++n)
      if (one_.stages[n] == unit.stage) add_node(n, unit.micro_batch);
    made_.graph.names.sync(made_.graph.values);
    if (unit.is_backward) {
      for (const size_t i : gradients_of_[at(unit.stage)])
        add_up(made_.gradients[i], maps_[at(unit.micro_batch)][at(one_.gradients[i])]);
    } else if (unit.stage == stage_of_[at(one_.loss)]) {
      add_up(loss_, maps_[at(unit.micro_batch)][at(one_.loss)]);
    }
    made_.stages.resize(made_.graph.nodes.size(), unit.stage);
    made_.network.resize(made_.graph.nodes.size(), false);
    if (!unit.is_backward && unit.micro_batch + 1 < count_) hand_on(unit);
  }

  /// The next micro-batch reads what this one has moved.
  void hand_on(const PipelineUnit& unit) {
    for (const Update& update : one_.graph.updates)
      if (stage_of_[at(update.value)] == unit.stage)
        maps_[at(unit.micro_batch + 1)][at(update.parameter)] =
            maps_[at(unit.micro_batch)][at(update.value)];
  }

  void add_node(size_t n, int micro_batch) {
    std::vector<ValueId>& map = maps_[at(micro_batch)];
    Node made = one_.graph.nodes[n];
    for (ValueId& id : made.operands) id = map[at(id)];
    for (ValueId& id : made.results) {
      const ValueId result = append(id, name_in(id, micro_batch));
      map[at(id)] = result;
      id = result;
    }
    made_.graph.nodes.push_back(std::move(made));
    made_.stages.push_back(one_.stages[n]);
    made_.network.push_back(n < one_.network_nodes);
  }

  /// Adds a micro-batch's share to a sum, which is -1 before the first.
  void add_up(ValueId& sum, ValueId more) {
    Graph& graph = made_.graph;
    const InScope scope(graph, "optimizer");
    Value share{&graph, more};
    if (count_ > 1) share = div(share, number_of(share.dtype()));
    sum = sum < 0 ? share.id : add({&graph, sum}, share).id;
  }

  Value number_of(DType dtype) {
    const auto [known, is_new] = numbers_.try_emplace(dtype, -1);
    if (is_new)
      known->second =
          made_.graph.add_constant(made_.graph.unused_name("micro_batches"),
                                   Tensor::scalar(static_cast<float>(count_)).cast(dtype));
    return {&made_.graph, known->second};
  }

  const OneMicroBatch& one_;
  int count_;
  int stages_ = 1;
  ValueId loss_ = -1;
  MicroBatches made_;
  std::vector<std::vector<ValueId>> maps_;         // per micro-batch and value of one
  std::vector<int> stage_of_;                      // per value of one
  std::vector<std::vector<size_t>> gradients_of_;  // per stage
  std::map<DType, ValueId> numbers_;               // of micro-batches
};

}  // namespace

std::vector<PipelineUnit> one_forward_one_backward(int stages, int micro_batches) {
  require(stages >= 1 && micro_batches >= 1, "{} stages of {} micro-batches", stages,
          micro_batches);
  std::vector<std::vector<PipelineUnit>> left;  // per stage, the next one last
  for (int stage = 0; stage < stages; ++stage) {
    left.push_back(units_of(stage, stages, micro_batches));
    std::reverse(left.back().begin(), left.back().end());
  }
  Done done(stages, micro_batches);
  std::vector<PipelineUnit> all;
  const size_t count = at(2 * stages) * at(micro_batches);
  for (int tick = 0; all.size() < count; ++tick) {
    const size_t begin = all.size();
    for (auto& units : left) {
      if (units.empty()) continue;
      units.back().tick = tick;
      if (!done.is_ready(units.back())) continue;
      all.push_back(units.back());
      units.pop_back();
    }
    for (size_t i = begin; i < all.size(); ++i) done.note(all[i]);
  }
  return all;
}

MicroBatches repeat(const OneMicroBatch& one, int micro_batches) {
  return Repeat(one, micro_batches).run();
}

void complete_stages(std::vector<int>& stages, const Graph& graph,
                     const std::vector<int>& of_parameters) {
  std::vector<int> of_values = of_parameters;
  of_values.resize(graph.values.size(), -1);
  int last = 0;
  for (const int stage : of_values) last = std::max(last, stage);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (n == stages.size()) {
      int stage = -1;
      int64_t largest = -1;
      for (const ValueId id : node.operands) {
        const bool is_parameter = at(id) < of_parameters.size() && of_parameters[at(id)] >= 0;
        const int64_t size = is_parameter ? std::numeric_limits<int64_t>::max()
                                          : element_count(graph.type(id).global);
        if (of_values[at(id)] < 0 || size < largest) continue;
        if (is_parameter && largest == size) continue;  // the first of them
        stage = of_values[at(id)];
        largest = size;
      }
      stages.push_back(stage < 0 ? last : stage);
    }
    for (const ValueId id : node.results) of_values[at(id)] = stages[n];
  }
}

}  // namespace tessera
