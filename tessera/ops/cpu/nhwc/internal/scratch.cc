#include "tessera/ops/cpu/nhwc/internal/scratch.h"

#include <unistd.h>

#include <algorithm>

namespace tessera::internal {

std::shared_ptr<Buffer>& scratch_owner() {
  thread_local std::shared_ptr<Buffer> block;
  return block;
}

float* scratch(int64_t floats) {
  std::shared_ptr<Buffer>& block = scratch_owner();
  const int64_t bytes = floats * int64_t{sizeof(float)};
  if (block == nullptr || block->size() < bytes) {
    block = nullptr;
    // As large as a huge page at least: kernels grow it step by step otherwise.
    block = Buffer::allocate(std::max(bytes, int64_t{4} << 20));
  }
  return reinterpret_cast<float*>(block->mutable_data());
}

int64_t second_cache() {
  static const int64_t size = [] {
#ifdef _SC_LEVEL2_CACHE_SIZE
    const int64_t known = sysconf(_SC_LEVEL2_CACHE_SIZE);
#else
    const int64_t known = 0;
#endif
    return known > 0 ? std::clamp<int64_t>(known, 256 << 10, 4 << 20) : 1 << 20;
  }();
  return size;
}

}  // namespace tessera::internal
