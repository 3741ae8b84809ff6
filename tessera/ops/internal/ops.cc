// Written by tools/generate.py from the definitions in tessera/ops; do not edit.
#include "tessera/ops/ops.h"

#include <array>

#include "tessera/ops/internal/emit.h"

namespace tessera {

Value add(Value a, Value b, const Attrs& attrs) {
  return internal::emit("add", std::array{a, b}, attrs);
}

Value argmax(Value x, const Attrs& attrs) {
  return internal::emit("argmax", std::array{x}, attrs);
}

Value avg_pool(Value x, const Attrs& attrs) {
  return internal::emit("avg_pool", std::array{x}, attrs);
}

Value batch_norm(Value x, Value gamma, Value beta, Value mean, Value variance, const Attrs& attrs) {
  return internal::emit("batch_norm", std::array{x, gamma, beta, mean, variance}, attrs);
}

Value bias_add(Value x, Value bias, const Attrs& attrs) {
  return internal::emit("bias_add", std::array{x, bias}, attrs);
}

Value cast(Value x, const Attrs& attrs) {
  return internal::emit("cast", std::array{x}, attrs);
}

Value concat(std::span<const Value> x, const Attrs& attrs) {
  return internal::emit("concat", x, attrs);
}

Value concat(std::initializer_list<Value> x, const Attrs& attrs) {
  return internal::emit("concat", std::span<const Value>(x.begin(), x.size()), attrs);
}

Value conv2d(Value x, Value weight, const Attrs& attrs) {
  return internal::emit("conv2d", std::array{x, weight}, attrs);
}

Value conv2d(Value x, Value weight, Value bias, const Attrs& attrs) {
  return internal::emit("conv2d", std::array{x, weight, bias}, attrs);
}

Value conv2d(Value x, Value weight, Value bias, Value residual, const Attrs& attrs) {
  return internal::emit("conv2d", std::array{x, weight, bias, residual}, attrs);
}

Value dense(Value x, Value weight, const Attrs& attrs) {
  return internal::emit("dense", std::array{x, weight}, attrs);
}

Value dense(Value x, Value weight, Value bias, const Attrs& attrs) {
  return internal::emit("dense", std::array{x, weight, bias}, attrs);
}

Value dense(Value x, Value weight, Value bias, Value residual, const Attrs& attrs) {
  return internal::emit("dense", std::array{x, weight, bias, residual}, attrs);
}

Value div(Value a, Value b, const Attrs& attrs) {
  return internal::emit("div", std::array{a, b}, attrs);
}

Value dropout(Value x, const Attrs& attrs) {
  return internal::emit("dropout", std::array{x}, attrs);
}

Value embedding(Value indices, Value table, const Attrs& attrs) {
  return internal::emit("embedding", std::array{indices, table}, attrs);
}

Value exp(Value x, const Attrs& attrs) {
  return internal::emit("exp", std::array{x}, attrs);
}

Value flatten(Value x, const Attrs& attrs) {
  return internal::emit("flatten", std::array{x}, attrs);
}

Value gather(Value x, Value indices, const Attrs& attrs) {
  return internal::emit("gather", std::array{x, indices}, attrs);
}

Value gelu(Value x, const Attrs& attrs) {
  return internal::emit("gelu", std::array{x}, attrs);
}

Value layer_norm(Value x, Value gamma, Value beta, const Attrs& attrs) {
  return internal::emit("layer_norm", std::array{x, gamma, beta}, attrs);
}

Value leaky_relu(Value x, const Attrs& attrs) {
  return internal::emit("leaky_relu", std::array{x}, attrs);
}

Value log_softmax(Value x, const Attrs& attrs) {
  return internal::emit("log_softmax", std::array{x}, attrs);
}

Value matmul(Value a, Value b, const Attrs& attrs) {
  return internal::emit("matmul", std::array{a, b}, attrs);
}

Value matmul(Value a, Value b, Value bias, const Attrs& attrs) {
  return internal::emit("matmul", std::array{a, b, bias}, attrs);
}

Value matmul(Value a, Value b, Value bias, Value residual, const Attrs& attrs) {
  return internal::emit("matmul", std::array{a, b, bias, residual}, attrs);
}

Value max_pool(Value x, const Attrs& attrs) {
  return internal::emit("max_pool", std::array{x}, attrs);
}

Value mul(Value a, Value b, const Attrs& attrs) {
  return internal::emit("mul", std::array{a, b}, attrs);
}

Value neg(Value x, const Attrs& attrs) {
  return internal::emit("neg", std::array{x}, attrs);
}

Value pad(Value x, const Attrs& attrs) {
  return internal::emit("pad", std::array{x}, attrs);
}

Value reduce_max(Value x, const Attrs& attrs) {
  return internal::emit("reduce_max", std::array{x}, attrs);
}

Value reduce_mean(Value x, const Attrs& attrs) {
  return internal::emit("reduce_mean", std::array{x}, attrs);
}

Value reduce_sum(Value x, const Attrs& attrs) {
  return internal::emit("reduce_sum", std::array{x}, attrs);
}

Value relu(Value x, const Attrs& attrs) {
  return internal::emit("relu", std::array{x}, attrs);
}

Value relu6(Value x, const Attrs& attrs) {
  return internal::emit("relu6", std::array{x}, attrs);
}

Value reshape(Value x, const Attrs& attrs) {
  return internal::emit("reshape", std::array{x}, attrs);
}

Value sigmoid(Value x, const Attrs& attrs) {
  return internal::emit("sigmoid", std::array{x}, attrs);
}

Value slice(Value x, const Attrs& attrs) {
  return internal::emit("slice", std::array{x}, attrs);
}

Value softmax(Value x, const Attrs& attrs) {
  return internal::emit("softmax", std::array{x}, attrs);
}

Value softmax_cross_entropy(Value logits, Value labels, const Attrs& attrs) {
  return internal::emit("softmax_cross_entropy", std::array{logits, labels}, attrs);
}

Value sparse_softmax_cross_entropy(Value logits, Value labels, const Attrs& attrs) {
  return internal::emit("sparse_softmax_cross_entropy", std::array{logits, labels}, attrs);
}

Value sqrt(Value x, const Attrs& attrs) {
  return internal::emit("sqrt", std::array{x}, attrs);
}

Value sub(Value a, Value b, const Attrs& attrs) {
  return internal::emit("sub", std::array{a, b}, attrs);
}

Value tanh(Value x, const Attrs& attrs) {
  return internal::emit("tanh", std::array{x}, attrs);
}

Value transpose(Value x, const Attrs& attrs) {
  return internal::emit("transpose", std::array{x}, attrs);
}

}  // namespace tessera
