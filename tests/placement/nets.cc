#include "tests/placement/nets.h"

#include "tessera/ops/ops.h"
#include "tessera/passes/split_ends.h"
#include "tessera/zoo/zoo.h"

namespace tessera::testing {
namespace {

/// The tutorial's network, smaller: a product, then its negative.
Graph tutorial(int64_t rows) {
  Graph graph;
  const Value x{&graph, graph.add_input("x", DType::kF32, {rows, 12})};
  const Value w{&graph, graph.add_parameter("matmul_weight", DType::kF32, {12, 8})};
  graph.outputs = {neg(matmul(x, w)).id};
  return graph;
}

/// One block of a transformer: attention and an MLP with gelu, each after a layer norm.
Graph block(int64_t rows) {
  constexpr int64_t kSeq = 4;
  constexpr int64_t kWidth = 8;
  constexpr int64_t kHeads = 2;
  Graph graph;
  const Scope root(graph);
  const Value x{&graph, graph.add_input("x", DType::kF32, {rows, kSeq, kWidth})};
  const auto normed = [&](const std::string& name, Value v) {
    return layer_norm(v, root.parameter(name + ".gamma", {kWidth}),
                      root.parameter(name + ".beta", {kWidth}),
                      {{"begin_norm_axis", 2}, {"begin_params_axis", 2}});
  };
  const auto product = [&](const std::string& name, Value v, int64_t out) {
    return add(dense(v, root.parameter(name + ".weight", {out, v.shape().back()})),
               root.parameter(name + ".bias", {out}));
  };
  const auto heads = [&](Value v) {
    return transpose(reshape(v, {{"shape", Ints{rows, kSeq, kHeads, kWidth / kHeads}}}),
                     {{"perm", Ints{0, 2, 1, 3}}});
  };
  const Value n1 = normed("norm1", x);
  const Value q = heads(product("q", n1, kWidth));
  const Value k = heads(product("k", n1, kWidth));
  const Value v = heads(product("v", n1, kWidth));
  const Value mix = matmul(softmax(matmul(q, k, {{"transpose_b", true}})), v);
  const Value joined =
      reshape(transpose(mix, {{"perm", Ints{0, 2, 1, 3}}}), {{"shape", Ints{rows, kSeq, kWidth}}});
  const Value y = add(x, product("out", joined, kWidth));
  const Value wide = gelu(product("up", normed("norm2", y), 2 * kWidth));
  graph.outputs = {add(y, product("down", wide, kWidth)).id};
  return graph;
}

/// One edge: two negatives, or two products.
Graph edge(bool is_product, int64_t rows) {
  Graph graph;
  const Value x{&graph, graph.add_input("x", DType::kF32, {rows, 6})};
  const auto next = [&](Value v, const std::string& name, int64_t out) {
    if (!is_product) return neg(v);
    return matmul(v, {&graph, graph.add_parameter(name, DType::kF32, {v.shape().back(), out})});
  };
  graph.outputs = {next(next(x, "w1", 7), "w2", 4).id};
  return graph;
}

}  // namespace

Graph make_net(const std::string& name, int64_t rows) {
  if (name == "tutorial") return tutorial(rows);
  if (name == "block") return block(rows);
  if (name == "neg_neg" || name == "product_product") return edge(name != "neg_neg", rows);
  const ModelSpec spec = parse_model(name == "mlp" ? "mlp(hidden=[12,6])" : name);
  const bool is_transformer = name.starts_with("transformer");
  const Shape image = name == "mlp" ? Shape{1, 2, 5} : Shape{1, 32, 32};
  return split_ends(
      trace(spec, rows, is_transformer ? spec.model->row_shape(spec.options) : image));
}

std::vector<std::string> net_names() {
  return {"lenet5", "mlp", "tutorial", "block"};
}

}  // namespace tessera::testing
