// A tensor: elements of one dtype in a shape, in a buffer that several tensors may share.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tessera/tensor/box.h"
#include "tessera/tensor/buffer.h"
#include "tessera/tensor/dtype.h"

namespace tessera {

/// A cheap handle (copying shares the elements). Elements lie at offset + sum(index * stride).
class Tensor {
 public:
  Tensor() = default;
  /// Uninitialised, row-major.
  Tensor(DType dtype, Shape shape, Device device = {});
  /// Row-major elements from byte `offset` of `buffer` on. Throws when they do not fit into it.
  static Tensor view(std::shared_ptr<Buffer> buffer, int64_t offset, DType dtype, Shape shape);
  /// A new tensor that holds `values` (of type T) in row-major order.
  template <typename T>
  static Tensor of(std::span<const T> values, Shape shape);
  template <typename T>
  static Tensor scalar(T value) {
    return of(std::span<const T>(&value, 1), {});
  }

  bool is_defined() const { return buffer_ != nullptr; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  const Shape& strides() const { return strides_; }
  size_t ndim() const { return shape_.size(); }
  Device device() const { return buffer_ ? buffer_->device() : Device{}; }
  int64_t size() const { return element_count(shape_); }
  int64_t byte_count() const { return size() * byte_size(dtype_); }
  bool is_contiguous() const;
  const std::shared_ptr<Buffer>& buffer() const { return buffer_; }
  int64_t byte_offset() const { return offset_; }

  /// The elements in row-major order; throws unless T is the dtype and the tensor is contiguous.
  template <typename T>
  std::span<const T> data() const {
    check_access(dtype_of<T>);
    return {reinterpret_cast<const T*>(buffer_->data() + offset_), static_cast<size_t>(size())};
  }
  /// The same for writing; throws also when the buffer is a read-only mapping.
  template <typename T>
  std::span<T> mutable_data() {
    check_access(dtype_of<T>);
    return {reinterpret_cast<T*>(buffer_->mutable_data() + offset_), static_cast<size_t>(size())};
  }
  /// The bytes of a contiguous tensor.
  std::span<const std::byte> bytes() const;
  std::span<std::byte> mutable_bytes();

  /// The elements in `box`, sharing the buffer.
  Tensor slice(const Box& box) const;
  /// The same elements in another shape of equal size; copies only when not contiguous.
  Tensor reshape(Shape shape) const;
  /// This tensor when it is contiguous, else a row-major copy.
  Tensor contiguous() const;
  /// A row-major copy of its own.
  Tensor clone() const;
  /// A copy whose elements are converted as a C++ cast does; f16 and bf16 round to nearest even.
  /// To integers: cut towards zero; NaN and what does not fit become what x86 makes of them.
  /// Throws kUnsupported for complex to real and for packed 4-bit integers.
  Tensor cast(DType dtype) const;

 private:
  void check_access(DType wanted) const;

  DType dtype_ = DType::kF32;
  Shape shape_;
  Shape strides_;       // in elements
  int64_t offset_ = 0;  // in bytes
  std::shared_ptr<Buffer> buffer_;
};

template <typename T>
Tensor Tensor::of(std::span<const T> values, Shape shape) {
  Tensor tensor(dtype_of<T>, std::move(shape));
  require(static_cast<size_t>(tensor.size()) == values.size(), "shape {} needs {} values, got {}",
          to_string(tensor.shape()), tensor.size(), values.size());
  std::copy(values.begin(), values.end(), tensor.mutable_data<T>().begin());
  return tensor;
}

/// Copies `from` into `to`; shapes and dtypes must be equal, memory orders may differ.
void copy_elements(const Tensor& from, Tensor& to);

/// "f32[2,3]".
std::string describe(const Tensor& tensor);
/// The shape and up to `limit` values: "f32[3] {1, 2.5, -3}".
std::string to_string(const Tensor& tensor, int64_t limit = 16);

}  // namespace tessera
