// Layers: functions that add nodes to a graph, with their parameters named by the scope as
// MindSpore's cells name theirs.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "tessera/nn/scope.h"

namespace tessera {

struct Conv2dOptions {
  int64_t out = 0;  // channels
  int64_t kernel = 1;
  int64_t stride = 1;
  std::string pad_mode = "same";  // "same", "valid", or "pad" with `padding` on all four sides
  int64_t padding = 0;
  int64_t dilation = 1;
  int64_t groups = 1;
  bool bias = false;
  Initializer weight_init = default_weight_init();
  std::optional<Initializer> bias_init = {};  // nothing: default_bias_init
};
/// x [n,c,h,w] -> [n,out,y,x]; parameters `weight` [out,c/groups,kernel,kernel] and, if asked,
/// `bias`.
Value conv2d(const Scope& scope, Value x, const Conv2dOptions& options);

struct DenseOptions {
  bool bias = true;
  Initializer weight_init = default_weight_init();
  std::optional<Initializer> bias_init = {};  // nothing: default_bias_init
};
/// x [...,i] -> [...,out]: x·weightᵀ + bias; parameters `weight` [out,i] and, if asked, `bias`
/// [out].
Value dense(const Scope& scope, Value x, int64_t out, const DenseOptions& options = {});

/// Normalises the channels of x [n,c,...] by stored statistics; parameters `moving_mean`,
/// `moving_variance`, `gamma`, `beta`, each [c].
Value batch_norm(const Scope& scope, Value x, double epsilon = 1e-5);

/// Normalises x over its dims from `begin_norm_axis` on; parameters `gamma` and `beta`.
Value layer_norm(const Scope& scope, Value x, int64_t begin_norm_axis = -1, double epsilon = 1e-7);

struct PoolOptions {
  int64_t kernel = 2;
  int64_t stride = 2;
  std::string pad_mode = "valid";  // as in Conv2dOptions
  int64_t padding = 0;
  bool ceil_mode = false;
};
/// x [n,c,h,w] -> [n,c,y,x].
Value max_pool(const Scope& scope, Value x, const PoolOptions& options);
Value avg_pool(const Scope& scope, Value x, const PoolOptions& options);
/// x [n,c,h,w] -> [n,c]: the mean of every channel.
Value global_avg_pool(const Scope& scope, Value x);

/// x + y and x·y, with NumPy's broadcasting.
Value add(const Scope& scope, Value x, Value y);
Value mul(const Scope& scope, Value x, Value y);
/// The parts one after the other along the axis.
Value concat(const Scope& scope, std::span<const Value> parts, int64_t axis = 1);

/// An elementwise function by its op's name ("relu", "leaky_relu", …); "" or "identity" gives x.
Value activation(const Scope& scope, Value x, std::string_view op, const Attrs& attrs = {});

/// Self-attention of x [n,s,d] over s, every head over its own d/heads: parameters `query.weight`,
/// `query.bias`, and the same of `key`, `value` and `out`. The heads may be cut across ranks.
Value attention(const Scope& scope, Value x, int64_t heads);

/// x [a,b,c,...] -> [a, b·c·…].
Value flatten(const Scope& scope, Value x);

}  // namespace tessera
