// Reference kernels of elementwise ops: the op says one function of numbers, this loops.
#pragma once

#include <cstdint>
#include <vector>

#include "tessera/graph/op_call.h"
#include "tessera/ops/internal/numeric.h"
#include "tessera/ops/internal/walk.h"

namespace tessera::internal {

/// results[0] = function(operands[0]); the function takes float or double.
template <typename Function>
void map_floating(std::span<const Tensor> operands, std::span<Tensor> results, Function function) {
  visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::span<const T> x = operands[0].data<T>();
    const std::span<T> y = results[0].mutable_data<T>();
    for (size_t i = 0; i < x.size(); ++i) y[i] = narrow<T>(function(widen(x[i])));
  });
}

/// The same for every number; the function takes float, double or the integer type.
template <typename Function>
void map_number(std::span<const Tensor> operands, std::span<Tensor> results, Function function) {
  visit_number(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::span<const T> x = operands[0].data<T>();
    const std::span<T> y = results[0].mutable_data<T>();
    for (size_t i = 0; i < x.size(); ++i) y[i] = narrow<T>(function(widen(x[i])));
  });
}

/// results[0] = function(operands[0], operands[1]) of two tensors of one shape; the function takes
/// two floats or doubles.
template <typename Function>
void map_pairs(std::span<const Tensor> operands, std::span<Tensor> results, Function function) {
  visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::span<const T> a = operands[0].data<T>();
    const std::span<const T> b = operands[1].data<T>();
    const std::span<T> y = results[0].mutable_data<T>();
    for (size_t i = 0; i < y.size(); ++i) y[i] = narrow<T>(function(widen(a[i]), widen(b[i])));
  });
}

/// The dtype of a op b where the dtypes may differ, as MindSpore promotes: floating point before
/// integers, the wider of two integers, f16 with bf16 gives f32. u16, u32 and u64 mix with nothing
/// and bool is no number of its own. Throws kUnsupported.
DType promote(DType a, DType b);

/// The dtype of a call's only result: that of its two operands, promoted.
std::vector<DType> promoted_dtype(const OpCall& call);

/// results[0] = function(operands[0], operands[1]), broadcast, in the result's dtype, to which both
/// are converted first. The function takes two floats, doubles or uint64s; integers are extended to
/// 64 bits before and cut after, so sums, differences and products wrap around.
template <typename Function>
void map_broadcast(std::span<const Tensor> operands, std::span<Tensor> results, Function function) {
  const DType dtype = results[0].dtype();
  const Tensor a = operands[0].dtype() == dtype ? operands[0] : operands[0].cast(dtype);
  const Tensor b = operands[1].dtype() == dtype ? operands[1] : operands[1].cast(dtype);
  const Shape& shape = results[0].shape();
  visit_number(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    using Number = std::conditional_t<kIsInteger<T>, uint64_t, Wide<T>>;
    const T* x = a.data<T>().data();
    const T* y = b.data<T>().data();
    T* z = results[0].mutable_data<T>().data();
    // Both operands run along the last dim, or stand still: loops that a compiler can unroll.
    const int64_t row = shape.empty() ? 1 : shape.back();
    Shape rows = shape;
    if (!rows.empty()) rows.back() = 1;
    const std::array<Shape, 2> strides = {broadcast_strides(a.shape(), shape),
                                          broadcast_strides(b.shape(), shape)};
    const int64_t x_step = shape.empty() ? 0 : strides[0].back();
    const int64_t y_step = shape.empty() ? 0 : strides[1].back();
    const auto number = [](T value) { return static_cast<Number>(value); };
    const auto each = [&](const T* p, int64_t p_step, const T* q, int64_t q_step, int64_t count) {
      for (int64_t i = 0; i < count; ++i)
        z[i] = narrow<T>(function(number(p[i * p_step]), number(q[i * q_step])));
      z += count;
    };
    const int64_t count = element_count(shape);
    if (a.shape() == b.shape()) return each(x, 1, y, 1, count);
    if (b.size() == 1 && a.size() == count) return each(x, 1, y, 0, count);
    if (row == 0) return;
    walk<2>(rows, strides, [&](const std::array<int64_t, 2>& at) {
      each(x + at[0], x_step, y + at[1], y_step, row);
    });
  });
}

}  // namespace tessera::internal
