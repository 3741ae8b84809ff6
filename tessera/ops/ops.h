// Functions that add nodes to a graph: one per op, with the same names and attributes. Each
// gives the op's result and throws kInvalidArgument where the op refuses the call.
//
//   Value y = relu(conv2d(x, weight, {{"pad_mode", "valid"}}));
//
// Written by tools/generate.py from the definitions in tessera/ops; do not edit.
#pragma once

#include <initializer_list>
#include <span>

#include "tessera/graph/value.h"

namespace tessera {

/// y = a + b, broadcast from the right; integers wrap around.
Value add(Value a, Value b, const Attrs& attrs = {});

/// The index of the largest element along the axis, the first of equal ones, as i32. Attributes:
/// axis = -1.
Value argmax(Value x, const Attrs& attrs = {});

/// y[n,c,y,x] = the mean of x in the window; in pad_mode same over the elements inside the input.
/// Attributes: kernel (a list of integers, must be given), stride = [1,1], pad_mode = "valid",
/// padding = [0,0,0,0], ceil_mode = false, count_include_pad = true.
Value avg_pool(Value x, const Attrs& attrs = {});

/// y[n,c,...] = (x[n,c,...] - mean[c]) / sqrt(variance[c] + epsilon) * gamma[c] + beta[c]: with the
/// statistics that training left. Attributes: epsilon = 1e-05.
Value batch_norm(Value x, Value gamma, Value beta, Value mean, Value variance,
                 const Attrs& attrs = {});

/// y[n,c,...] = x[n,c,...] + bias[c].
Value bias_add(Value x, Value bias, const Attrs& attrs = {});

/// x in another dtype: to f16 and bf16 rounded to nearest even, to integers cut towards zero, to
/// bool whether it is not zero. Attributes: dtype = "f32".
Value cast(Value x, const Attrs& attrs = {});

/// The operands one after the other along the axis. Attributes: axis = 0.
Value concat(std::span<const Value> x, const Attrs& attrs = {});
Value concat(std::initializer_list<Value> x, const Attrs& attrs = {});

/// y[n,o,y,x] = activation(sum over i,p,q of x[n,i,y*s+p*d,x*s+q*d] * weight[o,i,p,q] + bias[o] +
/// residual[n,o,y,x]), with input channels i of o's group. Attributes: stride = [1,1], pad_mode =
/// "same", padding = [0,0,0,0], dilation = [1,1], groups = 1, activation = "", alpha = 0.0.
Value conv2d(Value x, Value weight, const Attrs& attrs = {});
Value conv2d(Value x, Value weight, Value bias, const Attrs& attrs = {});
Value conv2d(Value x, Value weight, Value bias, Value residual, const Attrs& attrs = {});

/// y[...,o] = activation(sum over i of x[...,i] * weight[o,i] + bias[o] + residual[...,o]).
/// Attributes: activation = "", alpha = 0.0.
Value dense(Value x, Value weight, const Attrs& attrs = {});
Value dense(Value x, Value weight, Value bias, const Attrs& attrs = {});
Value dense(Value x, Value weight, Value bias, Value residual, const Attrs& attrs = {});

/// y = a / b, broadcast from the right; two integers give f32.
Value div(Value a, Value b, const Attrs& attrs = {});

/// y = x: elements are dropped in training only. Attributes: p = 0.5.
Value dropout(Value x, const Attrs& attrs = {});

/// y[...,d] = table[indices[...],d]; an index outside [-v,v) is an error.
Value embedding(Value indices, Value table, const Attrs& attrs = {});

/// y = e^x.
Value exp(Value x, const Attrs& attrs = {});

/// The dims from axis to end_axis become one; the order of the elements stays. Attributes: axis =
/// 1, end_axis = -1.
Value flatten(Value x, const Attrs& attrs = {});

/// y[a,i,b] = x[a,indices[i],b], the axis between a and b; an index outside [-n,n) is an error.
/// Attributes: axis = 0.
Value gather(Value x, Value indices, const Attrs& attrs = {});

/// y = x * Phi(x), Phi the normal distribution; approximate: x / 2 * (1 + tanh(sqrt(2 / pi) * (x +
/// 0.044715 * x^3))). Attributes: approximate = true.
Value gelu(Value x, const Attrs& attrs = {});

/// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, mean and variance over the dims from
/// begin_norm_axis on. Attributes: begin_norm_axis = -1, begin_params_axis = -1, epsilon = 1e-07.
Value layer_norm(Value x, Value gamma, Value beta, const Attrs& attrs = {});

/// y = x where x > 0, alpha * x elsewhere. Attributes: alpha = 0.2.
Value leaky_relu(Value x, const Attrs& attrs = {});

/// y = x - log(sum of e^x along the axis). Attributes: axis = -1.
Value log_softmax(Value x, const Attrs& attrs = {});

/// y[...,m,n] = activation(sum over k of a[...,m,k] * b[...,k,n] + bias[n] + residual[...,m,n]);
/// leading dims broadcast. Attributes: transpose_a = false, transpose_b = false, activation = "",
/// alpha = 0.0.
Value matmul(Value a, Value b, const Attrs& attrs = {});
Value matmul(Value a, Value b, Value bias, const Attrs& attrs = {});
Value matmul(Value a, Value b, Value bias, Value residual, const Attrs& attrs = {});

/// y[n,c,y,x] = the largest element of x in the window; padding counts as none. Attributes: kernel
/// (a list of integers, must be given), stride = [1,1], pad_mode = "valid", padding = [0,0,0,0],
/// ceil_mode = false.
Value max_pool(Value x, const Attrs& attrs = {});

/// y = a * b, broadcast from the right; integers wrap around.
Value mul(Value a, Value b, const Attrs& attrs = {});

/// y = -x; integers wrap around.
Value neg(Value x, const Attrs& attrs = {});

/// x with more elements around it: a value, or x mirrored with (symmetric) or without (reflect) its
/// edge. Attributes: paddings (a list of integers, must be given), mode = "constant", value = 0.0.
Value pad(Value x, const Attrs& attrs = {});

/// The largest element over the axes; NaN counts as none. Attributes: axis = [], keep_dims = false.
Value reduce_max(Value x, const Attrs& attrs = {});

/// The sum over the axes, divided by how many elements that is; NaN for none. Attributes: axis =
/// [], keep_dims = false.
Value reduce_mean(Value x, const Attrs& attrs = {});

/// The sum over the axes; integers wrap around. Attributes: axis = [], keep_dims = false.
Value reduce_sum(Value x, const Attrs& attrs = {});

/// y = max(x, 0), and 0 for NaN.
Value relu(Value x, const Attrs& attrs = {});

/// y = min(max(x, 0), 6).
Value relu6(Value x, const Attrs& attrs = {});

/// The elements of x in the same order under another shape. Attributes: shape (a list of integers,
/// must be given).
Value reshape(Value x, const Attrs& attrs = {});

/// y = 1 / (1 + e^-x).
Value sigmoid(Value x, const Attrs& attrs = {});

/// x[begin:end:strides] per dim by Python's rules; dims behind the last entry stay whole.
/// Attributes: begin (a list of integers, must be given), end (a list of integers, must be given),
/// strides = [].
Value slice(Value x, const Attrs& attrs = {});

/// y = e^x / (sum of e^x along the axis). Attributes: axis = -1.
Value softmax(Value x, const Attrs& attrs = {});

/// loss[n] = -(sum over c of labels[n,c] * log(softmax(logits)[n,c])).
Value softmax_cross_entropy(Value logits, Value labels, const Attrs& attrs = {});

/// loss[n] = log(sum over c of e^logits[n,c]) - logits[n,labels[n]]; a label outside [0,c) is an
/// error.
Value sparse_softmax_cross_entropy(Value logits, Value labels, const Attrs& attrs = {});

/// y = sqrt(x); NaN below zero.
Value sqrt(Value x, const Attrs& attrs = {});

/// y = a - b, broadcast from the right; integers wrap around.
Value sub(Value a, Value b, const Attrs& attrs = {});

/// y = tanh(x).
Value tanh(Value x, const Attrs& attrs = {});

/// Dim d of the result is dim perm[d] of x. Attributes: perm (a list of integers, must be given).
Value transpose(Value x, const Attrs& attrs = {});

}  // namespace tessera
