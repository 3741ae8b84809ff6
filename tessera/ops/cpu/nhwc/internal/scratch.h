// Working memory of the kernels of this folder: one block per thread, which all its kernels use one
// after the other, so that it stays in the cache. And how large that cache is.
#pragma once

#include <cstdint>
#include <memory>

#include "tessera/tensor/buffer.h"

namespace tessera::internal {

/// The block of this thread.
std::shared_ptr<Buffer>& scratch_owner();
/// At least `floats` of it; what an earlier call gave is gone.
float* scratch(int64_t floats);

/// Bytes of the cache that a core has for itself (the second one), as the processor says.
int64_t second_cache();

}  // namespace tessera::internal
