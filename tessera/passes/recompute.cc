#include "tessera/passes/recompute.h"

#include <algorithm>
#include <map>

#include "tessera/base/text.h"
#include "tessera/passes/internal/rewriter.h"

namespace tessera {
namespace {

size_t at(ValueId id) {
  return static_cast<size_t>(id);
}

/// Values with fewer elements than this part of what they are made of are kept.
constexpr int64_t kSmall = 8;

class Recompute {
 public:
  Recompute(const Graph& graph, ValueId loss, std::span<const std::string> patterns,
            std::span<const int> stages)
      : graph_(graph), stages_(stages), rewriter_(graph), producers_(graph.values.size(), -1) {
    for (size_t n = 0; n < graph.nodes.size(); ++n)
      for (const ValueId id : graph.nodes[n].results) producers_[at(id)] = static_cast<int>(n);
    require(producers_[at(loss)] >= 0, "the loss is computed by no node");
    forward_ = static_cast<size_t>(producers_[at(loss)]) + 1;
    find_segments(patterns);
    find_again();
  }

  Recomputed run() {
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (n >= forward_)
        for (const ValueId id : graph_.nodes[n].operands) compute_again(id);
      rewriter_.keep(graph_.nodes[n]);
    }
    Recomputed made{rewriter_.finish(), {}};
    for (const Node& node : made.graph.nodes) made.origins.push_back(origin(made.graph, node));
    return made;
  }

 private:
  void find_segments(std::span<const std::string> patterns) {
    std::vector<bool> fits(patterns.size(), false);
    for (const Node& node : graph_.nodes) {
      segments_.emplace_back();
      const std::string& scope = node.scope;
      for (size_t end = scope.find('.'); segments_.back().empty() && !scope.empty();
           end = scope.find('.', end + 1)) {
        const std::string prefix = scope.substr(0, end);
        for (size_t p = 0; p < patterns.size(); ++p) {
          if (!matches(patterns[p], prefix)) continue;
          fits[p] = true;
          segments_.back() = prefix;
        }
        if (end == std::string::npos) break;
      }
    }
    for (size_t p = 0; p < patterns.size(); ++p)
      require(fits[p], "the pattern '{}' of what to compute again fits no scope",
              printable(patterns[p]));
  }

  void find_again() {
    again_.assign(graph_.values.size(), false);
    for (size_t n = 0; n < forward_; ++n)
      if (!segments_[n].empty() && graph_.nodes[n].results.size() == 1)
        again_[at(graph_.nodes[n].results[0])] = !is_small(graph_.nodes[n]);
    for (size_t n = 0; n < graph_.nodes.size(); ++n)
      for (const ValueId id : graph_.nodes[n].operands)
        if (again_[at(id)] && !is_of_segment(n, id)) again_[at(id)] = false;
    for (const ValueId id : graph_.outputs) again_[at(id)] = false;
    for (const Update& update : graph_.updates) again_[at(update.value)] = false;
  }

  bool is_of_segment(size_t node, ValueId id) const {
    const auto producer = static_cast<size_t>(producers_[at(id)]);
    return segments_[node] == segments_[producer] &&
           (stages_.empty() || stages_[node] == stages_[producer]);
  }

  bool is_small(const Node& node) const {
    int64_t largest = 0;
    for (const ValueId id : node.operands)
      largest = std::max(largest, element_count(graph_.type(id).global));
    return element_count(graph_.type(node.results[0]).global) < largest / kSmall;
  }

  /// From here on another value stands for `id`, where it is not kept.
  void compute_again(ValueId id) {
    if (!again_[at(id)]) return;
    again_[at(id)] = false;
    Node node = graph_.nodes[static_cast<size_t>(producers_[at(id)])];
    for (const ValueId operand : node.operands) compute_again(operand);
    node.operands = rewriter_.of(node.operands);
    const ValueId made = rewriter_.emit(node, rewriter_.name_of(id) + ".again");
    repeats_.emplace(rewriter_.graph().values[at(made)].name, id);
    rewriter_.stand_for(id, made);
  }

  /// Values keep their names.
  size_t origin(const Graph& made, const Node& node) const {
    const std::string& name = made.values[at(node.results[0])].name;
    const auto repeat = repeats_.find(name);
    const ValueId id = repeat == repeats_.end() ? *graph_.find(name) : repeat->second;
    return static_cast<size_t>(producers_[at(id)]);
  }

  const Graph& graph_;
  std::span<const int> stages_;
  internal::Rewriter rewriter_;
  std::vector<int> producers_;              // per value its node, or -1
  size_t forward_ = 0;                      // nodes
  std::vector<std::string> segments_;       // per node; empty: none
  std::vector<bool> again_;                 // per value: not kept, and not computed again yet
  std::map<std::string, ValueId> repeats_;  // by the name of what is computed again
};

}  // namespace

Recomputed recompute(const Graph& graph, ValueId loss, std::span<const std::string> patterns,
                     std::span<const int> stages) {
  require(stages.empty() || stages.size() == graph.nodes.size(), "{} nodes have the stages of {}",
          graph.nodes.size(), stages.size());
  return Recompute(graph, loss, patterns, stages).run();
}

}  // namespace tessera
