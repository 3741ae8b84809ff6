// Memory that was used and is used again: fresh pages cost more than what is written into them, and
// a pipeline wants memory of the same size for every picture and every batch.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "tessera/tensor/tensor.h"

namespace tessera::internal {

/// Gives memory that comes back when nobody else holds it. Thread-safe.
class SpareBuffers {
 public:
  /// Remembers buffers of at most `most_bytes` each, as many as keep() says.
  explicit SpareBuffers(int64_t most_bytes, size_t count = 0)
      : most_bytes_(most_bytes), count_(count) {}

  /// Remembers at least `count` buffers from now on.
  void keep(size_t count) {
    const std::scoped_lock lock(mutex_);
    count_ = std::max(count_, count);
  }

  /// Uninitialised.
  Tensor tensor(DType dtype, const Shape& shape) {
    const int64_t bytes = checked_product(element_count(shape), byte_size(dtype));
    return Tensor::view(buffer(bytes), 0, dtype, shape);
  }
  /// At least so large.
  std::shared_ptr<Buffer> buffer(int64_t bytes) {
    const std::scoped_lock lock(mutex_);
    if (bytes > most_bytes_ || count_ == 0) return Buffer::allocate(bytes);
    for (const std::shared_ptr<Buffer>& buffer : buffers_) {
      if (buffer.use_count() != 1 || buffer->size() < bytes || buffer->size() / 4 > bytes) continue;
      std::atomic_thread_fence(std::memory_order_acquire);  // of what the last holder did
      return buffer;
    }
    std::shared_ptr<Buffer> fresh = Buffer::allocate(bytes);
    constexpr int64_t kFew = int64_t{2} << 20;  // bytes; more are touched by several threads
    if (bytes <= kFew) fresh->populate({fresh->data(), static_cast<size_t>(bytes)});
    if (buffers_.size() < count_)
      buffers_.push_back(fresh);
    else
      buffers_[next_++ % count_] = fresh;
    return fresh;
  }

 private:
  std::mutex mutex_;
  int64_t most_bytes_;
  size_t count_;
  size_t next_ = 0;
  std::vector<std::shared_ptr<Buffer>> buffers_;
};

}  // namespace tessera::internal
