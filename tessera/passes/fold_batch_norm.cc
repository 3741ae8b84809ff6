#include "tessera/passes/fold_batch_norm.h"

#include <algorithm>

#include "tessera/passes/internal/rewriter.h"

namespace tessera {
namespace {

/// A batch norm and the node before it, while they become one.
class Folder {
 public:
  Folder(internal::Rewriter& rewriter, const Node& norm)
      : rewriter_(rewriter),
        scope_(norm.scope),
        name_(rewriter.name_of(norm.results[0])),
        gamma_(rewriter.of(norm.operands[1])),
        beta_(rewriter.of(norm.operands[2])),
        mean_(rewriter.of(norm.operands[3])),
        variance_(rewriter.of(norm.operands[4])),
        epsilon_(std::get<double>(norm.attrs.at("epsilon"))) {}

  Node fold_into(Node node) {
    const ValueId scale =
        emit("batch_norm_scale", {gamma_, variance_}, {{"epsilon", epsilon_}}, "scale");
    const Shape weight = rewriter_.graph().type(node.operands[1]).global;
    Ints column(weight.size(), 1);
    column[0] = weight[0];
    const ValueId spread = emit("reshape", {scale}, {{"shape", column}}, "spread");
    node.operands[1] = emit("mul", {node.operands[1], spread}, {}, "weight");
    std::vector<ValueId> terms{beta_, mean_, scale};
    terms.insert(terms.end(), node.operands.begin() + 2, node.operands.end());
    node.operands.resize(2);
    node.operands.push_back(emit("batch_norm_shift", std::move(terms), {}, "bias"));
    return node;
  }

 private:
  ValueId emit(std::string_view op, std::vector<ValueId> operands, Attrs attrs,
               std::string_view what) {
    return rewriter_.emit(op, std::move(operands), std::move(attrs), scope_,
                          fmt::format("{}.{}", name_, what));
  }

  internal::Rewriter& rewriter_;
  std::string scope_;
  std::string name_;
  ValueId gamma_;
  ValueId beta_;
  ValueId mean_;
  ValueId variance_;
  double epsilon_;
};

/// Whether `node` ends in nothing that stands between its sum and the batch norm, and has its
/// channels where batch norm has them: dim 1.
bool takes_batch_norm(const Node* node, const Graph& graph) {
  if (node == nullptr || (node->op->name != "conv2d" && node->op->name != "dense")) return false;
  if (node->operands.size() > 3 || !std::get<std::string>(node->attrs.at("activation")).empty()) {
    return false;
  }
  return node->op->name == "conv2d" || graph.type(node->results[0]).global.size() == 2;
}

}  // namespace

Graph fold_batch_norm(Graph graph) {
  internal::Rewriter rewriter(graph);
  const std::vector<int> uses = internal::use_counts(graph);
  const std::vector<bool> known = internal::known_values(graph);
  for (const Node& node : graph.nodes) {
    const bool is_norm = node.op->name == "batch_norm" &&
                         uses[static_cast<size_t>(node.operands[0])] == 1 &&
                         std::all_of(node.operands.begin() + 1, node.operands.end(),
                                     [&](ValueId id) { return known[static_cast<size_t>(id)]; });
    const Node* before = is_norm ? rewriter.producer(rewriter.of(node.operands[0])) : nullptr;
    if (!takes_batch_norm(before, rewriter.graph())) {
      rewriter.keep(node);
      continue;
    }
    rewriter.emit_for(node.results[0], Folder(rewriter, node).fold_into(*before));
  }
  return rewriter.finish();
}

}  // namespace tessera
