// Memory that was used and is used again: fresh pages cost more than what is written into them, and
// a pipeline wants memory of the same size for every picture and every batch.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include "tessera/tensor/tensor.h"

namespace tessera::internal {

/// Gives memory that comes back when nobody holds it any more, from whichever thread, and also
/// after these spare buffers are gone. Thread-safe.
class SpareBuffers {
 public:
  /// Remembers buffers of at most `most_bytes` each, as many as keep() says.
  explicit SpareBuffers(int64_t most_bytes, size_t count = 0) : most_bytes_(most_bytes) {
    keep(count);
  }

  /// Remembers at least `count` buffers from now on.
  void keep(size_t count) {
    const std::scoped_lock lock(free_->mutex);
    free_->count = std::max(free_->count, count);
  }

  /// Uninitialised.
  Tensor tensor(DType dtype, const Shape& shape) {
    const int64_t bytes = checked_product(element_count(shape), byte_size(dtype));
    return Tensor::view(buffer(bytes), 0, dtype, shape);
  }

  /// At least so large.
  std::shared_ptr<Buffer> buffer(int64_t bytes) {
    if (bytes > most_bytes_) return Buffer::allocate(bytes);
    std::shared_ptr<Buffer> taken = free_->take(bytes);
    if (taken == nullptr) taken = fresh(bytes);
    Buffer* lent = taken.get();
    return {lent, [free = std::weak_ptr(free_), taken = std::move(taken)](Buffer*) mutable {
              if (const std::shared_ptr<Free> home = free.lock()) home->give(std::move(taken));
            }};
  }

 private:
  struct Free {
    /// One that holds so many bytes and not many more, or nothing.
    std::shared_ptr<Buffer> take(int64_t bytes) {
      const std::scoped_lock lock(mutex);
      const auto found = std::ranges::find_if(buffers, [&](const auto& buffer) {
        return buffer->size() >= bytes && buffer->size() / 4 <= bytes;
      });
      if (found == buffers.end()) return nullptr;
      std::shared_ptr<Buffer> taken = std::move(*found);
      buffers.erase(found);
      return taken;
    }

    /// Keeps it instead of the one that was given back first.
    void give(std::shared_ptr<Buffer> buffer) {
      const std::scoped_lock lock(mutex);
      if (count == 0) return;
      if (buffers.size() >= count) buffers.erase(buffers.begin());
      buffers.push_back(std::move(buffer));
    }

    std::mutex mutex;
    size_t count = 0;
    std::vector<std::shared_ptr<Buffer>> buffers;
  };

  static std::shared_ptr<Buffer> fresh(int64_t bytes) {
    constexpr int64_t kFew = int64_t{2} << 20;  // bytes; more are touched by several threads
    std::shared_ptr<Buffer> buffer = Buffer::allocate(bytes);
    if (bytes <= kFew) buffer->populate({buffer->data(), static_cast<size_t>(bytes)});
    return buffer;
  }

  int64_t most_bytes_;
  std::shared_ptr<Free> free_ = std::make_shared<Free>();
};

}  // namespace tessera::internal
