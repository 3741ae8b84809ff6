// What an op and its kernels may ask when a call is checked, placed, prepared or run.
#pragma once

#include <span>

#include "tessera/base/error.h"
#include "tessera/graph/attrs.h"
#include "tessera/tensor/box.h"
#include "tessera/tensor/tensor.h"

namespace tessera {

class Communicator;

/// An operand or result: its dtype, its global shape, and the box of it that is here. On one device
/// the box is the whole. Attributes of the op always speak of global shapes.
struct TensorType {
  DType dtype = DType::kF32;
  Shape global;
  Box box;

  TensorType() = default;
  TensorType(DType type, Shape shape) : dtype(type), global(std::move(shape)), box(whole(global)) {}
  TensorType(DType type, Shape shape, Box part)
      : dtype(type), global(std::move(shape)), box(std::move(part)) {}
  const Shape& shape() const { return box.size; }
  bool is_whole() const { return box.size == global; }
  bool operator==(const TensorType&) const = default;
};

/// "f32[2,3]", with the box where it is not the whole.
std::string to_string(const TensorType& type);

/// A call of an op. `attrs` holds every attribute the op defines, defaults filled in. All spans
/// live as long as the call.
struct OpCall {
  std::span<const TensorType> operands;
  std::span<const TensorType> results;  // empty while they are being inferred
  const Attrs& attrs;
  std::span<const Tensor* const> constants;  // per operand its value where it is known when the
                                             // program is compiled, else null; may be empty
  Communicator* world = nullptr;  // the ranks that run the graph together; null: one alone

  size_t operand_count() const { return operands.size(); }
  /// The shape of what is here of an operand, and of all of it.
  const Shape& shape(size_t operand) const { return operands[operand].shape(); }
  const Shape& global(size_t operand) const { return operands[operand].global; }

  /// The attribute as T (bool, int64_t, double, std::string, Ints); kInternal when the op has none.
  template <typename T>
  const T& attr(std::string_view name) const {
    const auto it = attrs.find(name);
    const T* value = it == attrs.end() ? nullptr : std::get_if<T>(&it->second);
    if (value == nullptr) fail(ErrorCode::kInternal, "no attribute '{}' of that type", name);
    return *value;
  }
};

}  // namespace tessera
