#include "tests/golden/frontend_nets.h"

#include "tessera/nn/layers.h"
#include "tessera/ops/ops.h"
#include "tessera/passes/shard.h"

namespace tessera::testing {
namespace {

Value sharded(Value value, const std::string& strategy) {
  return strategy.empty() ? value : shard(value, strategy);
}

Graph build_conv_net() {
  Graph graph;
  const Value x{&graph, graph.add_input("x", DType::kF32, {16, 3, 8, 8})};
  const Scope scope(graph);
  Value y = conv2d(scope / "conv", x, {.out = 16, .kernel = 3});
  y = relu(batch_norm(scope / "bn", y));
  y = dense(scope / "fc", flatten(scope, y), 10);
  graph.outputs = {y.id};
  return graph;
}

Graph build_gather(const std::string& strategy) {
  Graph graph;
  const Value i{&graph, graph.add_input("i", DType::kI32, {16})};
  const Value table = Scope(graph).parameter("embedding_table", {64, 16});
  graph.outputs = {relu(sharded(gather(table, i), strategy)).id};
  return graph;
}

Graph build_layer_norm(bool is_sharded) {
  Graph graph;
  const Value x{&graph, graph.add_input("x", DType::kF32, {16, 64})};
  const Scope scope(graph);
  const Value normal = sharded(layer_norm(scope / "ln", x), is_sharded ? "((4,1),(1,),(1,))" : "");
  const Value product = matmul(normal, scope.parameter("weight", {64, 32}));
  sharded(product, is_sharded ? "((4,1),(1,2))" : "");
  graph.outputs = {product.id};
  return graph;
}

FrontendNet product_case(const std::string& name, const Shape& x, const Shape& weight,
                         const std::string& strategy, bool transpose_b = false) {
  return {name, [=](bool is_sharded) {
            return build_product(x, weight, transpose_b, is_sharded ? strategy : "");
          }};
}

void add_products(std::vector<FrontendNet>& nets) {
  const Shape x{128, 96}, weight{96, 16};
  const std::string sample = "((2,1),(1,4))";
  for (const std::string name :
       {"sample_rank0", "sample_rank5", "json_sample_rank0", "all_params_sample_rank0"})
    nets.push_back(product_case(name, x, weight, sample));
  nets.push_back(product_case("sample_default_rank0", x, weight, ""));
  nets.push_back(product_case("repeated_rank0", x, weight, "((2,1),(1,2))"));
  nets.push_back(product_case("devices16_rank0", x, weight, "((2,2),(2,4))"));
  nets.push_back(product_case("transpose_b_rank0", {32, 32}, {64, 32}, "((2,1),(4,1))", true));
  struct Product {
    std::string name;
    Shape x, weight;
    std::string strategy;
  };
  const std::vector<Product> products = {
      {"mm_a", {64, 32}, {32, 64}, "((8,1),(1,1))"},
      {"mm_b", {64, 64}, {64, 64}, "((1,8),(8,1))"},
      {"mm_c", {64, 64}, {64, 128}, "((2,2),(2,2))"},
      {"mm_d", {64, 128}, {128, 64}, "((1,1),(1,8))"},
      {"mm_e", {64, 64}, {64, 128}, "((4,2),(2,1))"},
  };
  for (const Product& one : products)
    for (const std::string rank : {"_rank0", "_rank5"})
      nets.push_back(product_case(one.name + rank, one.x, one.weight, one.strategy));
  for (const std::string rank : {"_rank0", "_rank5"}) {
    nets.push_back(
        product_case("layout_api" + rank, x, weight, "{dp=2,sp=2,mp=2} [dp, sp mp], [sp mp, -]"));
    nets.back().by_layouts = true;
  }
}

}  // namespace

Graph build_product(const Shape& x, const Shape& weight, bool transpose_b,
                    const std::string& strategy) {
  Graph graph;
  const Value in{&graph, graph.add_input("x", DType::kF32, x)};
  const Value w = Scope(graph).parameter("matmul_weight", weight);
  const Value product = matmul(in, w, {{"transpose_b", transpose_b}});
  graph.outputs = {neg(sharded(product, strategy)).id};
  return graph;
}

Graph build_dense_mlp(const std::vector<std::string>& strategies, int64_t rows) {
  Graph graph;
  const Scope scope(graph);
  const auto strategy = [&](size_t i) { return i < strategies.size() ? strategies[i] : ""; };
  Value v{&graph, graph.add_input("x", DType::kF32, {rows, 64})};
  int64_t in = 64;
  for (size_t i = 0; i < 2; ++i) {
    const int64_t out = i == 0 ? 128 : 32;
    const Scope layer = scope / (i == 0 ? "fc1" : "fc2");
    v = sharded(dense(v, layer.parameter("weight", {out, in})), strategy(2 * i));
    v = sharded(bias_add(v, layer.parameter("bias", {out})), strategy(2 * i + 1));
    if (i == 0) v = relu(v);
    in = out;
  }
  graph.outputs = {v.id};
  return graph;
}

std::vector<FrontendNet> frontend_nets() {
  const std::vector<std::string> mlp{"((2,1),(4,1))", "((2,4),(4,))", "((2,4),(1,4))"};
  std::vector<FrontendNet> nets;
  add_products(nets);
  nets.push_back({"mlp_dense_rank0", [mlp](bool is_sharded) {
                    return build_dense_mlp(is_sharded ? mlp : std::vector<std::string>{});
                  }});
  nets.push_back({"cnn_default_rank0", [](bool) { return build_conv_net(); }});
  nets.push_back({"gather_rows_rank0",
                  [](bool is_sharded) { return build_gather(is_sharded ? "((8,1),(1,))" : ""); }});
  nets.push_back({"embedding_cols_rank0",
                  [](bool is_sharded) { return build_gather(is_sharded ? "((1,4),(2,))" : ""); }});
  nets.push_back({"layernorm_rank0", build_layer_norm});
  for (const std::string name : {"auto_dp_rank0", "auto_rec_rank0"})
    nets.push_back({name, [](bool) { return build_dense_mlp({}, 64); }});
  nets.push_back({"auto_prop_rank0", [mlp](bool is_sharded) {
                    return build_dense_mlp(is_sharded ? mlp : std::vector<std::string>{}, 64);
                  }});
  return nets;
}

}  // namespace tessera::testing
