// Values that a file stores as f32 although they are bf16 (Encoding::kBF16AsF32).
#pragma once

#include <cstddef>
#include <cstring>

#include "tessera/tensor/half.h"

namespace tessera {

/// Rounds `count` f32 at `from`, of any alignment, to bf16 at `to`, which may be `from`.
inline void round_to_bf16(const std::byte* from, std::byte* to, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    float value = 0;
    std::memcpy(&value, from + i * sizeof value, sizeof value);
    const BFloat16 rounded(value);
    std::memcpy(to + i * sizeof rounded, &rounded, sizeof rounded);
  }
}

}  // namespace tessera
