#include <array>
#include <cmath>

#include "tessera/nn/layers.h"

namespace tessera {
namespace {

/// [n,s,d] -> [n,heads,s,d/heads]: a cut of d along whole heads stays a cut of dim 1.
Value split_heads(const Scope& scope, Value x, int64_t heads) {
  const Shape& shape = x.shape();
  x = scope.emit("reshape", {x}, {{"shape", Ints{shape[0], shape[1], heads, shape[2] / heads}}});
  return scope.emit("transpose", {x}, {{"perm", Ints{0, 2, 1, 3}}});
}

/// The constant called `name` in this scope, a scalar.
Value scalar(const Scope& scope, std::string_view name, float value) {
  Graph& graph = scope.graph();
  const std::array<float, 1> element{value};
  const std::string wish =
      scope.path().empty() ? std::string(name) : fmt::format("{}.{}", scope.path(), name);
  return {&graph, graph.add_constant(graph.unused_name(wish), Tensor::of<float>(element, {}))};
}

}  // namespace

Value attention(const Scope& scope, Value x, int64_t heads) {
  require(x.shape().size() == 3, "attention '{}' wants [n,s,d], got {}", scope.path(),
          to_string(x.shape()));
  const Shape shape = x.shape();
  require(heads > 0 && shape[2] % heads == 0, "attention '{}' cannot divide {} into {} heads",
          scope.path(), shape[2], heads);
  const auto part = [&](std::string_view name) {
    return split_heads(scope / name, dense(scope / name, x, shape[2]), heads);
  };
  const Value query = part("query");
  const Value key = part("key");
  const Value value = part("value");
  const double scale = 1 / std::sqrt(static_cast<double>(shape[2] / heads));
  Value scores = scope.emit("matmul", {query, key}, {{"transpose_b", true}});
  scores = scope.emit("mul", {scores, scalar(scope, "scale", static_cast<float>(scale))});
  scores = scope.emit("softmax", {scores}, {{"axis", int64_t{-1}}});
  Value read = scope.emit("matmul", {scores, value});
  read = scope.emit("transpose", {read}, {{"perm", Ints{0, 2, 1, 3}}});
  read = scope.emit("reshape", {read}, {{"shape", Ints(shape.begin(), shape.end())}});
  return dense(scope / "out", read, shape[2]);
}

}  // namespace tessera
