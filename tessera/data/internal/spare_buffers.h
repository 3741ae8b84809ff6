// Memory that was used and is used again: fresh pages cost more than what is written into them, and
// a pipeline wants memory of the same size for every picture and every batch.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "tessera/tensor/tensor.h"

namespace tessera::internal {

/// Gives tensors whose memory comes back when nobody else holds it. Not thread-safe; what it gave
/// may be used and dropped by any thread.
class SpareBuffers {
 public:
  /// Remembers at most `count` buffers, of at most `most_bytes` each.
  SpareBuffers(size_t count, int64_t most_bytes) : count_(count), most_bytes_(most_bytes) {}

  /// Uninitialised.
  Tensor tensor(DType dtype, const Shape& shape) {
    const int64_t bytes = checked_product(element_count(shape), byte_size(dtype));
    if (bytes > most_bytes_ || count_ == 0) return Tensor(dtype, shape);
    for (const std::shared_ptr<Buffer>& buffer : buffers_) {
      if (buffer.use_count() != 1 || buffer->size() < bytes || buffer->size() / 4 > bytes) continue;
      std::atomic_thread_fence(std::memory_order_acquire);  // of what the last holder did
      return Tensor::view(buffer, 0, dtype, shape);
    }
    const std::shared_ptr<Buffer> fresh = Buffer::allocate(bytes);
    if (buffers_.size() < count_)
      buffers_.push_back(fresh);
    else
      buffers_[next_++ % count_] = fresh;
    return Tensor::view(fresh, 0, dtype, shape);
  }

 private:
  size_t count_;
  int64_t most_bytes_;
  size_t next_ = 0;
  std::vector<std::shared_ptr<Buffer>> buffers_;
};

}  // namespace tessera::internal
