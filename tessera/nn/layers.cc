#include "tessera/nn/layers.h"

namespace tessera {

Value conv2d(const Scope& scope, Value x, const Conv2dOptions& options) {
  require(x.shape().size() == 4, "conv2d '{}' wants [n,c,h,w], got {}", scope.path(),
          to_string(x.shape()));
  require(options.groups > 0 && x.shape()[1] % options.groups == 0,
          "conv2d '{}' cannot divide {} channels into {} groups", scope.path(), x.shape()[1],
          options.groups);
  const Shape shape{options.out, x.shape()[1] / options.groups, options.kernel, options.kernel};
  const Value weight = scope.parameter("weight", shape, options.weight_init);
  const Attrs attrs = {{"stride", Ints{options.stride, options.stride}},
                       {"pad_mode", options.pad_mode},
                       {"padding", Ints(4, options.padding)},
                       {"dilation", Ints{options.dilation, options.dilation}},
                       {"groups", options.groups}};
  if (!options.bias) return scope.emit("conv2d", {x, weight}, attrs);
  const Value bias =
      scope.parameter("bias", {options.out}, options.bias_init.value_or(default_bias_init(shape)));
  return scope.emit("conv2d", {x, weight, bias}, attrs);
}

Value dense(const Scope& scope, Value x, int64_t out, const DenseOptions& options) {
  require(!x.shape().empty(), "dense '{}' wants [...,i], got a scalar", scope.path());
  require(out > 0, "dense '{}' is to be {} wide; wanted at least 1", scope.path(), out);
  const Shape shape{out, x.shape().back()};
  const Value weight = scope.parameter("weight", shape, options.weight_init);
  if (!options.bias) return scope.emit("dense", {x, weight});
  const Value bias =
      scope.parameter("bias", {out}, options.bias_init.value_or(default_bias_init(shape)));
  return scope.emit("dense", {x, weight, bias});
}

Value batch_norm(const Scope& scope, Value x, double epsilon) {
  require(x.shape().size() >= 2, "batch_norm '{}' wants [n,c,...], got {}", scope.path(),
          to_string(x.shape()));
  const Shape channels{x.shape()[1]};
  const Value mean = scope.parameter("moving_mean", channels);
  const Value variance = scope.parameter("moving_variance", channels, ones());
  const Value gamma = scope.parameter("gamma", channels, ones());
  const Value beta = scope.parameter("beta", channels);
  return scope.emit("batch_norm", {x, gamma, beta, mean, variance}, {{"epsilon", epsilon}});
}

Value layer_norm(const Scope& scope, Value x, int64_t begin_norm_axis, double epsilon) {
  const auto ndim = static_cast<int64_t>(x.shape().size());
  const int64_t begin = begin_norm_axis < 0 ? begin_norm_axis + ndim : begin_norm_axis;
  require(begin >= 0 && begin < ndim, "layer_norm '{}' cannot begin at dim {} of {}", scope.path(),
          begin_norm_axis, to_string(x.shape()));
  const Shape normed(x.shape().begin() + begin, x.shape().end());
  const Value gamma = scope.parameter("gamma", normed, ones());
  const Value beta = scope.parameter("beta", normed);
  return scope.emit(
      "layer_norm", {x, gamma, beta},
      {{"begin_norm_axis", begin}, {"begin_params_axis", begin}, {"epsilon", epsilon}});
}

namespace {

Attrs pool_attrs(const PoolOptions& options) {
  return {{"kernel", Ints{options.kernel, options.kernel}},
          {"stride", Ints{options.stride, options.stride}},
          {"pad_mode", options.pad_mode},
          {"padding", Ints(4, options.padding)},
          {"ceil_mode", options.ceil_mode}};
}

}  // namespace

Value max_pool(const Scope& scope, Value x, const PoolOptions& options) {
  return scope.emit("max_pool", {x}, pool_attrs(options));
}

Value avg_pool(const Scope& scope, Value x, const PoolOptions& options) {
  return scope.emit("avg_pool", {x}, pool_attrs(options));
}

Value global_avg_pool(const Scope& scope, Value x) {
  return scope.emit("reduce_mean", {x}, {{"axis", Ints{2, 3}}});
}

Value add(const Scope& scope, Value x, Value y) {
  return scope.emit("add", {x, y});
}

Value mul(const Scope& scope, Value x, Value y) {
  return scope.emit("mul", {x, y});
}

Value concat(const Scope& scope, std::span<const Value> parts, int64_t axis) {
  return scope.emit("concat", parts, {{"axis", axis}});
}

Value activation(const Scope& scope, Value x, std::string_view op, const Attrs& attrs) {
  if (op.empty() || op == "identity") return x;
  return scope.emit(op, {x}, attrs);
}

Value flatten(const Scope& scope, Value x) {
  return scope.emit("flatten", {x}, {{"axis", int64_t{1}}});
}

}  // namespace tessera
