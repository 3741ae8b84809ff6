#include "tessera/ops/cpu/nhwc/internal/pixels.h"

#include <algorithm>
#include <vector>

#include "tessera/ops/cpu/internal/parallel.h"

namespace tessera::internal {

#define TESSERA_SIMD_BODY "tessera/ops/cpu/nhwc/internal/pixels_body.inc"
#include "tessera/ops/cpu/internal/each_simd.inc"

#if defined(__x86_64__)
void max_of_pixels(Simd simd, const Pixels& pixels, float* out) {
  (simd == Simd::kAvx512 ? avx512::max_of_pixels : avx2::max_of_pixels)(pixels, out);
}

void mean_of_pixels(Simd simd, const Pixels& pixels, float divisor, float* out) {
  (simd == Simd::kAvx512 ? avx512::mean_of_pixels : avx2::mean_of_pixels)(pixels, divisor, out);
}
#else
// Never called: the kernels say that the processor has no vectors they know.
void max_of_pixels(Simd, const Pixels&, float*) {}
void mean_of_pixels(Simd, const Pixels&, float, float*) {}
#endif

namespace {

/// The part of a window that lies inside.
struct Reach {
  Reach(const WindowDim& dim, int64_t index)
      : begin(std::max<int64_t>(0, dim.begin(index))),
        end(std::min(dim.input, dim.begin(index) + dim.kernel)),
        with_padding(std::min(dim.begin(index) + dim.kernel, dim.input + dim.pad_end) -
                     dim.begin(index)) {}
  int64_t begin, end;
  int64_t with_padding;  // elements, those of the padding too
};

}  // namespace

void run_pixel_pool(const PixelPool& pool, const float* in, float* out) {
  const WindowDim& dim_y = pool.window.y;
  const WindowDim& dim_x = pool.window.x;
  const int64_t rows = pool.images * dim_y.output;
  const int64_t parts = pool.threads == 1 ? 1 : kPartsPerThread * pool.threads;
  parallel_parts(rows, parts, pool.threads, [&](int64_t first, int64_t last) {
    std::vector<const float*> at(static_cast<size_t>(dim_y.kernel * dim_x.kernel));
    Pixels pixels{at.data(), 0, pool.channels};
    for (int64_t row = first; row < last; ++row) {
      const Reach y(dim_y, row % dim_y.output);
      const float* image = in + row / dim_y.output * dim_y.input * dim_x.input * pool.channels;
      for (int64_t i = 0; i < dim_x.output; ++i) {
        const Reach x(dim_x, i);
        pixels.count = 0;
        for (int64_t p = y.begin; p < y.end; ++p) {
          for (int64_t q = x.begin; q < x.end; ++q) {
            at[static_cast<size_t>(pixels.count++)] = image + (p * dim_x.input + q) * pool.channels;
          }
        }
        float* to = out + (row * dim_x.output + i) * pool.out_pitch;
        if (pool.is_mean) {
          const int64_t count =
              pool.counts_padding ? y.with_padding * x.with_padding : pixels.count;
          mean_of_pixels(pool.simd, pixels, static_cast<float>(count), to);
        } else {
          max_of_pixels(pool.simd, pixels, to);
        }
      }
    }
  });
}

}  // namespace tessera::internal
