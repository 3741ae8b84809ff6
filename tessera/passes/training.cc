#include "tessera/passes/training.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "tessera/ops/ops.h"
#include "tessera/passes/internal/rewriter.h"
#include "tessera/passes/shard.h"

namespace tessera {
namespace {

class Training {
 public:
  Training(const Graph& network, const TrainingOptions& options)
      : network_(network), options_(options), rewriter_(network) {}

  Graph run() {
    for (const Node& node : network_.nodes) {
      const ErrorContext context([&] {
        return fmt::format("preparing {} '{}' for training", node.op->name,
                           rewriter_.name_of(node.results[0]));
      });
      if (node.op->name == "batch_norm")
        norm(node);
      else if (node.op->name == "dropout" && std::get<double>(node.attrs.at("p")) > 0)
        drop(node);
      else if (options_.products != DType::kF32 && is_product(node))
        multiply(node);
      else
        rewriter_.keep(node);
    }
    return rewriter_.finish();
  }

 private:
  void norm(const Node& node) {
    for (const size_t i : {size_t{3}, size_t{4}}) require_own(node.operands[i]);
    const std::vector<ValueId> operands = rewriter_.of(node.operands);
    const std::string& name = rewriter_.name_of(node.results[0]);
    const Attrs groups = {{"groups", options_.statistics_groups}};
    const ValueId x = operands[0];
    const ValueId mean =
        rewriter_.emit("batch_mean", {x}, groups, node.scope, fmt::format("{}.mean", name));
    const ValueId variance = rewriter_.emit("batch_variance", {x, mean}, groups, node.scope,
                                            fmt::format("{}.variance", name));
    Node norm = node;
    norm.op = internal::Rewriter::made("batch_norm_train", {}, {}).op;
    norm.operands = {x, operands[1], operands[2], mean, variance};
    norm.attrs["groups"] = options_.statistics_groups;
    if (is_pieces(norm.sharding)) {
      Pieces pieces = parse_pieces(norm.sharding);  // statistics have a dim of groups now
      for (size_t i = 3; i < pieces.size(); ++i) pieces[i].insert(pieces[i].begin(), 1);
      norm.sharding = to_string(pieces);
    }
    rewriter_.emit_for(node.results[0], norm);
    const Shape& shape = network_.type(node.operands[0]).global;
    const double count = static_cast<double>(element_count(shape) / shape[1]) /
                         static_cast<double>(options_.statistics_groups);
    // One element has no unbiased variance: the biased one, 0, stands for it.
    move(operands[3], mean, 1, node.scope);
    move(operands[4], variance, count > 1 ? count / (count - 1) : 1, node.scope);
  }

  static bool is_product(const Node& node) {
    constexpr std::array<std::string_view, 3> kProducts = {"conv2d", "dense", "matmul"};
    return std::ranges::find(kProducts, node.op->name) != kProducts.end();
  }

  /// A node that multiplies, in options_.products.
  void multiply(const Node& node) {
    Node made = node;
    for (ValueId& operand : made.operands) operand = rounded(rewriter_.of(operand), node.scope);
    const ValueId result = rewriter_.emit(made, rewriter_.name_of(node.results[0]) + ".exact");
    Node round = internal::Rewriter::made("round_to", {result}, node.scope);
    round.attrs = dtype_of_products();
    rewriter_.emit_for(node.results[0], round);
  }

  Attrs dtype_of_products() const { return {{"dtype", std::string(to_string(options_.products))}}; }

  /// A value of the new graph, rounded once for all who read it.
  ValueId rounded(ValueId id, const std::string& scope) {
    const Node* producer = rewriter_.producer(id);
    if (producer != nullptr && producer->op->name == "round_to") return id;
    const auto known = rounded_.find(id);
    if (known != rounded_.end()) return known->second;
    const std::string name = rewriter_.graph().values[static_cast<size_t>(id)].name;
    const ValueId made = rewriter_.emit("round_to", {id}, dtype_of_products(), scope,
                                        fmt::format("{}.{}", name, to_string(options_.products)));
    return rounded_.emplace(id, made).first->second;
  }

  void require_own(ValueId id) {
    const std::string& name = rewriter_.name_of(id);
    const auto& parameters = network_.parameters;
    require(std::find(parameters.begin(), parameters.end(), id) != parameters.end(),
            "its statistics '{}' are no parameter", name);
    require(std::find(moved_.begin(), moved_.end(), id) == moved_.end(),
            "its statistics '{}' are those of another batch norm too", name);
    moved_.push_back(id);
  }

  void move(ValueId kept, ValueId statistic, double unbiased, const std::string& scope) {
    const std::string name = rewriter_.graph().values[static_cast<size_t>(kept)].name;
    const auto emit = [&](std::string_view op, std::vector<ValueId> operands, Attrs attrs = {}) {
      return rewriter_.emit(op, std::move(operands), std::move(attrs), scope, name + ".moved");
    };
    // The mean over the groups, of which there may be one.
    const double share =
        (1 - options_.momentum) * unbiased / static_cast<double>(options_.statistics_groups);
    const ValueId sum = emit("reduce_sum", {statistic}, {{"axis", Ints{0}}});
    const ValueId left = emit("mul", {kept, number(options_.momentum, kept)});
    const ValueId moved = emit("add", {left, emit("mul", {sum, number(share, kept)})});
    rewriter_.update(kept, moved);
  }

  ValueId number(double value, ValueId like) {
    return rewriter_.constant("number",
                              Tensor::scalar(value).cast(rewriter_.graph().type(like).dtype));
  }

  void drop(const Node& node) {
    if (step_ < 0) step_ = rewriter_.input("step", DType::kI64, {});
    Node made = internal::Rewriter::made("dropout_train", {rewriter_.of(node.operands[0]), step_},
                                         node.scope);
    made.attrs = {{"p", node.attrs.at("p")}, {"seed", options_.seed}, {"node", dropped_++}};
    made.sharding = node.sharding;
    rewriter_.emit_for(node.results[0], made);
  }

  const Graph& network_;
  const TrainingOptions& options_;
  internal::Rewriter rewriter_;
  std::vector<ValueId> moved_;
  std::map<ValueId, ValueId> rounded_;
  ValueId step_ = -1;
  int64_t dropped_ = 0;
};

}  // namespace

Graph to_training(const Graph& network, const TrainingOptions& options) {
  require(options.statistics_groups >= 1, "statistics in {} parts of the batch",
          options.statistics_groups);
  return Training(network, options).run();
}

}  // namespace tessera
