#include "tessera/ops/internal/gradients.h"

#include "tessera/base/shown.h"
#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/emit.h"
#include "tessera/ops/ops.h"
#include "tessera/ops/registry.h"

namespace tessera::internal {

Value sum_to(Value gradient, Value like) {
  const Shape from = gradient.shape();  // copies: the graph grows
  const Shape to = like.shape();
  const size_t more = from.size() - to.size();
  Ints summed;
  for (size_t d = 0; d < from.size(); ++d)
    if (d < more || (to[d - more] == 1 && from[d] != 1)) summed.push_back(static_cast<int64_t>(d));
  if (!summed.empty()) gradient = reduce_sum(gradient, {{"axis", summed}, {"keep_dims", true}});
  gradient = reshape_as(gradient, like);
  if (gradient.dtype() != like.dtype())
    gradient = cast(gradient, {{"dtype", std::string(to_string(like.dtype()))}});
  return gradient;
}

Value spread_as(Value x, Value like, const Ints& axis) {
  const Shape shape = like.shape();  // a copy: the graph grows
  const std::vector<bool> reduced = chosen_axes(axis, shape.size());
  Ints kept = ints(shape);
  for (size_t d = 0; d < kept.size(); ++d)
    if (reduced[d]) kept[d] = 1;
  if (x.shape() != Shape(std::span(kept))) x = reshape(x, {{"shape", kept}});
  return broadcast_to(x, {{"shape", ints(shape)}});
}

Value gradient_of_sums(const GradientCall& call, std::string_view op) {
  const auto& name = call.attr<std::string>("activation");
  if (name.empty()) return call.gradient();
  Attrs attrs = call.attrs;
  attrs["activation"] = std::string();
  const OpDef& activation = require_op(name);
  Attrs of_activation;
  if (name == "leaky_relu") of_activation["alpha"] = attrs["alpha"];
  const Value unended = emit(op, call.operands, attrs);
  const GradientCall end{{unended},
                         call.results,
                         call.gradients,
                         std::vector<bool>(1, true),
                         complete_attrs(activation, of_activation)};
  return activation.gradient(end).front().value();
}

Value reshape_as(Value x, Value like) {
  if (x.shape() == like.shape()) return x;
  return reshape(x, {{"shape", ints(like.shape())}});
}

Ints ints(const Shape& shape) {
  return {shape.begin(), shape.end()};
}

Value scalar(double value, Value like) {
  Tensor tensor(DType::kF64, {});
  tensor.mutable_data<double>()[0] = value;
  Graph& graph = *like.graph;
  return {&graph, graph.add_constant(graph.unused_name("number"), tensor.cast(like.dtype()))};
}

void check_alike(const OpCall& call) {
  for (const TensorType& operand : call.operands)
    require(operand.global == call.global(0), "operands {} and {} differ in shape",
            shown(call.operands[0]), shown(operand));
}

}  // namespace tessera::internal
