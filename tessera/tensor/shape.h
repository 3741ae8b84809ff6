// Extents of a tensor, one per dim, kept inside the object up to 4 dims: 40 bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace tessera {

/// A short list of int64: extents, indices or strides, one per dim. A value; compares by content.
class Shape {
 public:
  using value_type = int64_t;
  using iterator = int64_t*;
  using const_iterator = const int64_t*;
  static constexpr size_t kInline = 4;

  Shape() = default;
  Shape(std::initializer_list<int64_t> extents) : Shape(extents.begin(), extents.end()) {}
  explicit Shape(std::span<const int64_t> extents)
      : Shape(extents.data(), extents.data() + extents.size()) {}
  explicit Shape(size_t ndim, int64_t fill = 0) { resize(ndim, fill); }
  Shape(const int64_t* begin, const int64_t* end);
  Shape(const Shape& other) : Shape(other.begin(), other.end()) {}
  Shape(Shape&& other) noexcept
      : size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, kInline)),
        extents_(other.extents_) {}
  Shape& operator=(const Shape& other) {
    if (this != &other) *this = Shape(other);
    return *this;
  }
  Shape& operator=(Shape&& other) noexcept {
    Shape taken(std::move(other));
    std::swap(size_, taken.size_);
    std::swap(capacity_, taken.capacity_);
    std::swap(extents_, taken.extents_);
    return *this;
  }
  ~Shape() {
    if (is_outside()) delete[] extents_.outside;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  int64_t* data() { return is_outside() ? extents_.outside : extents_.inside; }
  const int64_t* data() const { return is_outside() ? extents_.outside : extents_.inside; }
  iterator begin() { return data(); }
  iterator end() { return data() + size_; }
  const_iterator begin() const { return data(); }
  const_iterator end() const { return data() + size_; }
  int64_t& operator[](size_t dim) { return data()[dim]; }
  int64_t operator[](size_t dim) const { return data()[dim]; }
  int64_t front() const { return data()[0]; }
  int64_t back() const { return data()[size_ - 1]; }
  int64_t& back() { return data()[size_ - 1]; }

  void push_back(int64_t extent) { resize(size_ + 1, extent); }
  void pop_back() { --size_; }
  void insert(size_t at, int64_t extent) {
    push_back(extent);
    std::rotate(begin() + at, end() - 1, end());
  }
  void erase(size_t at) {
    std::copy(begin() + at + 1, end(), begin() + at);
    --size_;
  }
  /// New extents are `fill`.
  void resize(size_t ndim, int64_t fill = 0);

  bool operator==(const Shape& other) const {
    return size_ == other.size_ && std::equal(begin(), end(), other.begin());
  }

 private:
  union Extents {
    int64_t inside[kInline] = {};
    int64_t* outside;  // owned
  };

  bool is_outside() const { return capacity_ > kInline; }
  void make_room(size_t ndim);

  uint32_t size_ = 0;
  uint32_t capacity_ = kInline;
  Extents extents_;
};

/// The product of the extents, 1 for no dims. Throws kInvalidArgument on overflow or an extent < 0.
int64_t element_count(const Shape& shape);
/// The bytes of `count` elements of `bytes` each; throws on overflow.
int64_t checked_product(int64_t count, int64_t bytes);

/// "[2,3]"; "[]" for no dims.
std::string to_string(const Shape& shape);
/// Reads what to_string writes; spaces are allowed. Throws kInvalidArgument.
Shape parse_shape(std::string_view text);

/// Strides in elements of a row-major tensor.
Shape row_major_strides(const Shape& shape);

}  // namespace tessera
