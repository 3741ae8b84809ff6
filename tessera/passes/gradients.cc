#include "tessera/passes/gradients.h"

#include <algorithm>
#include <map>

#include "tessera/graph/gradient.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

constexpr std::string_view kPrefix = "grad.";

size_t at(ValueId id) {
  return static_cast<size_t>(id);
}

class Backward {
 public:
  Backward(Graph& graph, std::span<const ValueId> wanted)
      : graph_(graph), node_count_(graph.nodes.size()), reaches_(graph.values.size(), false) {
    for (const ValueId id : wanted) reaches_[at(id)] = true;
    for (size_t n = 0; n < node_count_; ++n) {
      const Node& node = graph.nodes[n];
      bool reached = false;
      for (const ValueId id : node.operands) reached = reached || reaches_[at(id)];
      for (const ValueId id : node.results)
        reaches_[at(id)] = reached && info(graph.values[at(id)].dtype).is_floating;
    }
    gradients_.resize(graph.values.size());
  }

  void run(ValueId loss, ValueId seed) {
    add(loss, {&graph_, seed});
    for (size_t n = node_count_; n-- > 0;) {
      pass_back(n);
      origins_.resize(graph_.nodes.size() - node_count_, n);
    }
  }

  /// Per node that was added the node it is the gradient of.
  const std::vector<size_t>& origins() const { return origins_; }

  ValueId of(ValueId id) {
    if (gradients_[at(id)]) return gradients_[at(id)]->id;
    const ValueInfo& value = graph_.values[at(id)];
    Tensor zeros(value.dtype, value.shape);
    std::ranges::fill(zeros.mutable_bytes(), std::byte{});
    return graph_.add_constant(graph_.unused_name("zeros"), std::move(zeros));
  }

 private:
  void pass_back(size_t n) {
    const Node node = graph_.nodes[n];  // a copy: the graph grows
    GradientCall call;
    bool flows = false;
    for (const ValueId id : node.results) {
      call.results.push_back({&graph_, id});
      call.gradients.push_back(gradients_[at(id)]);
      flows = flows || gradients_[at(id)].has_value();
    }
    bool reached = false;
    for (const ValueId id : node.operands) {
      call.operands.push_back({&graph_, id});
      call.wanted.push_back(reaches_[at(id)]);
      reached = reached || reaches_[at(id)];
    }
    if (!flows || !reached) return;
    const InScope scope(graph_, node.scope);
    const ErrorContext context([&] {
      return fmt::format("adding the gradient of {} '{}'{}{}", node.op->name,
                         graph_.values[at(node.results[0])].name, node.scope.empty() ? "" : " in ",
                         node.scope);
    });
    if (node.op->gradient == nullptr)
      fail(ErrorCode::kUnsupported, "{} has no gradient", node.op->name);
    call.attrs = node.attrs;
    const Gradients made = node.op->gradient(call);
    for (size_t i = 0; i < node.operands.size(); ++i) {
      if (!call.wanted[i] || i >= made.size() || !made[i]) continue;
      check(node, i, *made[i]);
      add(node.operands[i], *made[i]);
    }
  }

  void check(const Node& node, size_t i, Value made) const {
    const TensorType wanted = graph_.type(node.operands[i]);
    const TensorType found = graph_.type(made.id);
    if (found == wanted) return;
    fail(ErrorCode::kInternal, "operand {} of {} is {}, but its gradient is {}", i, node.op->name,
         to_string(wanted), to_string(found));
  }

  void add(ValueId to, Value gradient) {
    std::optional<Value>& sum = gradients_[at(to)];
    name(to, gradient.id);
    sum = sum ? tessera::add(*sum, gradient) : gradient;
    name(to, sum->id);
  }

  /// What a node passes on as it is keeps the first name that it was given.
  void name(ValueId of, ValueId gradient) {
    if (at(gradient) < gradients_.size() || graph_.values[at(gradient)].name.starts_with(kPrefix))
      return;
    const int count = ++named_[of];
    std::string wish = fmt::format("{}{}", kPrefix, graph_.values[at(of)].name);
    if (count > 1) wish += fmt::format("~{}", count);
    graph_.rename(gradient, graph_.unused_name(wish));
  }

  Graph& graph_;
  size_t node_count_;
  std::vector<bool> reaches_;     // per value: what is wanted flows into it
  Gradients gradients_;           // per value, as far as they are summed up
  std::map<ValueId, int> named_;  // how many gradients are called after a value
  std::vector<size_t> origins_;
};

}  // namespace

std::optional<ValueId> value_of_gradient(const Graph& graph, std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::string of(name.substr(kPrefix.size()));
  if (const size_t count = of.rfind('~'); count != std::string::npos)
    of.erase(count, std::min(of.find('@', count), of.size()) - count);
  if (const auto id = graph.find(of)) return id;
  return graph.find(of.substr(0, of.rfind('@')));
}

std::vector<ValueId> add_gradients(Graph& graph, ValueId loss, std::span<const ValueId> wanted,
                                   ValueId seed, std::vector<size_t>* origins) {
  const TensorType type = graph.type(loss);
  require(info(type.dtype).is_floating && element_count(type.global) == 1,
          "the loss '{}' is {}; gradients are of one floating-point number",
          graph.values[at(loss)].name, to_string(type));
  Backward backward(graph, wanted);
  if (seed < 0) {
    Tensor one(DType::kF32, type.global);
    one.mutable_data<float>()[0] = 1;
    seed = graph.add_constant(graph.unused_name("one"), one.cast(type.dtype));
  }
  backward.run(loss, seed);
  if (origins != nullptr) *origins = backward.origins();
  std::vector<ValueId> gradients;
  for (const ValueId id : wanted) gradients.push_back(backward.of(id));
  return gradients;
}

}  // namespace tessera
