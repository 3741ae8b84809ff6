#include "tessera/passes/fuse.h"

#include <algorithm>
#include <array>
#include <optional>

#include "tessera/passes/internal/rewriter.h"

namespace tessera {
namespace {

constexpr size_t kWithoutBias = 2;
constexpr size_t kWithBias = 3;

bool has_activation(const Node& node) {
  return !std::get<std::string>(node.attrs.at("activation")).empty();
}

class Fuser {
 public:
  explicit Fuser(const Graph& graph)
      : graph_(graph),
        rewriter_(graph),
        uses_(internal::use_counts(graph)),
        known_(internal::known_values(graph)) {}

  Graph run() {
    for (const Node& node : graph_.nodes) {
      const std::optional<Node> fused = fused_with_operand(node);
      if (fused) {
        rewriter_.emit_for(node.results[0], *fused);
      } else {
        rewriter_.keep(node);
      }
    }
    return rewriter_.finish();
  }

 private:
  /// `node` and the conv2d, dense or matmul before it as one node, where that can be.
  std::optional<Node> fused_with_operand(const Node& node) {
    if (node.op->name == "bias_add") return with_bias(node, 0, true);
    if (node.op->name == "add") {
      for (const size_t operand : {size_t{0}, size_t{1}}) {
        if (auto fused = with_bias(node, operand, false)) return fused;
        if (auto fused = with_residual(node, operand)) return fused;
      }
      return std::nullopt;
    }
    return with_activation(node);
  }

  /// The node that computes this operand, when it can be joined with its only reader.
  const Node* fusable(const Node& reader, size_t operand) const {
    const ValueId id = reader.operands[operand];
    if (uses_[static_cast<size_t>(id)] != 1) return nullptr;
    const Node* node = rewriter_.producer(rewriter_.of(id));
    if (node == nullptr || has_no_end(*node) || has_activation(*node)) return nullptr;
    return node;
  }

  static bool has_no_end(const Node& node) {
    constexpr std::array<std::string_view, 3> kFusable = {"conv2d", "dense", "matmul"};
    return std::find(kFusable.begin(), kFusable.end(), node.op->name) == kFusable.end();
  }

  bool keeps_type(const Node& node, const Node& before) const {
    return graph_.type(node.results[0]) == rewriter_.graph().type(before.results[0]);
  }

  std::optional<Node> with_bias(const Node& node, size_t operand, bool along_dim_1) {
    const Node* before = fusable(node, operand);
    if (before == nullptr || before->operands.size() != kWithoutBias) return std::nullopt;
    if (!keeps_type(node, *before)) return std::nullopt;
    const ValueId bias = node.operands[1 - operand];
    const TensorType type = graph_.type(bias);
    const Shape& result = graph_.type(node.results[0]).global;
    if (type.dtype != graph_.type(node.results[0]).dtype || result.size() < 2) return std::nullopt;
    const size_t channel_dim = before->op->name == "conv2d" ? 1 : result.size() - 1;
    const bool fits = along_dim_1 ? channel_dim == 1
                                  : known_[static_cast<size_t>(bias)] &&
                                        is_per_channel(type.global, result, channel_dim);
    if (!fits) return std::nullopt;
    Node fused = *before;
    ValueId vector = rewriter_.of(bias);
    if (type.global.size() != 1) {
      if (!type.is_whole()) return std::nullopt;
      vector = rewriter_.emit("reshape", {vector}, {{"shape", Ints{result[channel_dim]}}},
                              node.scope, rewriter_.name_of(bias) + ".vector");
    }
    fused.operands.push_back(vector);
    return fused;
  }

  /// Whether broadcasting `shape` to `result` gives one value per channel.
  static bool is_per_channel(const Shape& shape, const Shape& result, size_t channel_dim) {
    if (shape.size() > result.size() || element_count(shape) != result[channel_dim]) return false;
    const size_t missing = result.size() - shape.size();
    return channel_dim >= missing && shape[channel_dim - missing] == result[channel_dim];
  }

  std::optional<Node> with_residual(const Node& node, size_t operand) {
    const Node* before = fusable(node, operand);
    if (before == nullptr || before->operands.size() != kWithBias) return std::nullopt;
    const ValueId residual = node.operands[1 - operand];
    if (!keeps_type(node, *before) || graph_.type(residual) != graph_.type(node.results[0])) {
      return std::nullopt;
    }
    Node fused = *before;
    fused.operands.push_back(rewriter_.of(residual));
    return fused;
  }

  std::optional<Node> with_activation(const Node& node) {
    constexpr std::array<std::string_view, 6> kActivations = {"relu", "relu6",   "leaky_relu",
                                                              "gelu", "sigmoid", "tanh"};
    if (std::find(kActivations.begin(), kActivations.end(), node.op->name) == kActivations.end()) {
      return std::nullopt;
    }
    if (node.op->name == "gelu" && !std::get<bool>(node.attrs.at("approximate"))) {
      return std::nullopt;
    }
    const Node* before = fusable(node, 0);
    if (before == nullptr) return std::nullopt;
    Node fused = *before;
    fused.attrs["activation"] = std::string(node.op->name);
    if (node.op->name == "leaky_relu") fused.attrs["alpha"] = node.attrs.at("alpha");
    return fused;
  }

  const Graph& graph_;
  internal::Rewriter rewriter_;
  std::vector<int> uses_;
  std::vector<bool> known_;
};

}  // namespace

Graph fuse(Graph graph) {
  return Fuser(graph).run();
}

}  // namespace tessera
