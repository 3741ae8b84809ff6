// What pools do with pixels that lie channels last: the largest or the mean of some pixels, channel
// by channel.
#pragma once

#include "tessera/ops/cpu/internal/direct.h"
#include "tessera/ops/internal/window.h"

namespace tessera::internal {

struct Pixels {
  const float* const* at = nullptr;
  int64_t count = 0;
  int64_t channels = 0;
};

/// -infinity where there are no pixels; NaNs are no candidates.
void max_of_pixels(Simd simd, const Pixels& pixels, float* out);
void mean_of_pixels(Simd simd, const Pixels& pixels, float divisor, float* out);

/// Images that a window walks over.
struct PixelPool {
  Simd simd = Simd::kNone;
  Window window;
  int64_t images = 0;
  int64_t channels = 0;
  int64_t out_pitch = 0;  // floats from result to result
  bool is_mean = false;
  bool counts_padding = false;  // the mean divides by the padding's elements too
  int threads = 1;
};
void run_pixel_pool(const PixelPool& pool, const float* in, float* out);

}  // namespace tessera::internal
