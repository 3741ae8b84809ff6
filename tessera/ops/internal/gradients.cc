#include "tessera/ops/internal/gradients.h"

#include "tessera/ops/internal/axis.h"
#include "tessera/ops/ops.h"

namespace tessera::internal {

Value sum_to(Value gradient, Value like) {
  const Shape& from = gradient.shape();
  const Shape& to = like.shape();
  const size_t more = from.size() - to.size();
  Ints summed;
  for (size_t d = 0; d < from.size(); ++d)
    if (d < more || (to[d - more] == 1 && from[d] != 1)) summed.push_back(static_cast<int64_t>(d));
  if (!summed.empty()) gradient = reduce_sum(gradient, {{"axis", summed}, {"keep_dims", true}});
  if (gradient.shape() != to) gradient = reshape(gradient, {{"shape", Ints(to.begin(), to.end())}});
  if (gradient.dtype() != like.dtype())
    gradient = cast(gradient, {{"dtype", std::string(to_string(like.dtype()))}});
  return gradient;
}

Value spread_as(Value x, Value like, const Ints& axis) {
  const Shape& shape = like.shape();
  const std::vector<bool> reduced = chosen_axes(axis, shape.size());
  Ints kept(shape.begin(), shape.end());
  for (size_t d = 0; d < kept.size(); ++d)
    if (reduced[d]) kept[d] = 1;
  if (x.shape() != Shape(std::span(kept))) x = reshape(x, {{"shape", kept}});
  return broadcast_to(x, {{"shape", Ints(shape.begin(), shape.end())}});
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
            to_string(call.operands[0]), to_string(operand));
}

}  // namespace tessera::internal
