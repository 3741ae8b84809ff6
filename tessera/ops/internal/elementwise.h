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
    const std::array<Shape, 2> strides = {broadcast_strides(a.shape(), shape),
                                          broadcast_strides(b.shape(), shape)};
    walk<2>(shape, strides, [&](const std::array<int64_t, 2>& at) {
      *z++ = narrow<T>(function(static_cast<Number>(x[at[0]]), static_cast<Number>(y[at[1]])));
    });
  });
}

}  // namespace tessera::internal
