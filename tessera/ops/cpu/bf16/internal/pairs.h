// What the kernels that multiply in bf16 read: pairs of neighbouring channels, rounded, in the
// place of one float each, so that an image of c channels is one of (c+1)/2 "floats" and goes
// through the loops over pixels, taps and panels as any other. The loops of tiles.h alone know what
// they hold.
#pragma once

#include <string_view>

#include "tessera/ops/cpu/nhwc/internal/tiles.h"

namespace tessera::internal {

/// The vectors of the kernels: AVX-512 where its bf16 instructions are there, AVX2 where tests ask
/// for emulation, else none.
Simd pair_simd();
/// "avx512_bf16", "emulated avx2".
std::string_view pair_simd_name();

/// An odd last channel is paired with zero.
inline int64_t pair_count(int64_t channels) {
  return (channels + 1) / 2;
}

/// Two elements, rounded to nearest even; the first lies lower.
float pair_of(float first, float second);

/// Images to be rounded.
struct PairSource {
  int64_t images = 0;
  int64_t pixels = 0;  // of an image
  int64_t channels = 0;
  int64_t pitch = 0;      // floats from pixel to pixel
  bool is_plain = false;  // [n,c,pixels] instead
  int threads = 1;
};
/// `pairs`: [n,pixels,pair_count(channels)].
void round_to_pairs(const PairSource& source, const float* from, float* pairs);
/// The same into memory of this thread, which the next call on it takes again.
const float* rounded(const PairSource& source, const float* from);

/// Weights [o,i,taps] as [panel][tap][pair][o in the panel].
void pack_pair_weights(const Panels& panels, int64_t in_channels, int64_t taps,
                       const RawWeights& raw, float* packed);

}  // namespace tessera::internal
