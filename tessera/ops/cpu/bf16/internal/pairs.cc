#include "tessera/ops/cpu/bf16/internal/pairs.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <string_view>

#include "tessera/ops/cpu/internal/parallel.h"
#include "tessera/ops/precision_support.h"
#include "tessera/tensor/buffer.h"

namespace tessera {
namespace internal {
namespace {

bool has_instructions() {
#if defined(__x86_64__)
  return available_simd() == Simd::kAvx512 && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

Simd detect() {
  const char* wanted = std::getenv("TESSERA_BF16");
  const bool emulate = wanted != nullptr && std::string_view(wanted) == "emulate";
  if (emulate && available_simd() != Simd::kNone) return Simd::kAvx2;
  return has_instructions() ? Simd::kAvx512 : Simd::kNone;
}

uint32_t round_bits(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const bool is_nan = (bits & 0x7FFF'FFFFU) > 0x7F80'0000U;
  return is_nan ? (bits >> 16) | 0x40U : (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
}

#if defined(__x86_64__)
using Bits = uint32_t __attribute__((vector_size(32)));
using UnalignedBits = uint32_t __attribute__((vector_size(32), aligned(4), may_alias));

__attribute__((target("avx2"))) inline void round_vector(const float* from, Bits& to) {
  const Bits bits = *reinterpret_cast<const UnalignedBits*>(from);
  const Bits nan = (bits & 0x7FFF'FFFFU) > 0x7F80'0000U;  // all ones where it is
  to = (nan & (bits | 0x40'0000U)) | (~nan & (bits + 0x7FFFU + ((bits >> 16) & 1U)));
}

/// Sixteen floats to eight pairs, as often as they fit; returns the floats done.
__attribute__((target("avx2"))) int64_t round_run(const float* from, int64_t count, float* pairs) {
  int64_t done = 0;
  for (; done + 16 <= count; done += 16) {
    Bits low;
    Bits high;
    round_vector(from + done, low);
    round_vector(from + done + 8, high);
    const Bits first = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
    const Bits second = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15);
    *reinterpret_cast<UnalignedBits*>(pairs + done / 2) = first >> 16 | (second & 0xFFFF'0000U);
  }
  return done;
}
#else
int64_t round_run(const float*, int64_t, float*) {
  return 0;
}
#endif

}  // namespace

Simd pair_simd() {
  static const Simd simd = detect();
  return simd;
}

std::string_view pair_simd_name() {
  return pair_simd() == Simd::kAvx512 ? "avx512_bf16" : "emulated avx2";
}

float pair_of(float first, float second) {
  return std::bit_cast<float>(round_bits(first) | round_bits(second) << 16);
}

void round_to_pairs(const PairSource& source, const float* from, float* pairs) {
  const int64_t channels = source.channels;
  const int64_t count = pair_count(channels);
  const auto round_pixel = [&](int64_t pixel) {
    float* to = pairs + pixel * count;
    if (source.is_plain) {
      const float* at =
          from + pixel / source.pixels * source.pixels * channels + pixel % source.pixels;
      for (int64_t c = 0; c < channels; c += 2) {
        const float second = c + 1 < channels ? at[(c + 1) * source.pixels] : 0;
        to[c / 2] = pair_of(at[c * source.pixels], second);
      }
      return;
    }
    const float* at = from + pixel * source.pitch;
    for (int64_t c = round_run(at, channels, to); c < channels; c += 2) {
      to[c / 2] = pair_of(at[c], c + 1 < channels ? at[c + 1] : 0);
    }
  };
  parallel_ranges(source.images * source.pixels, source.threads, [&](int64_t begin, int64_t end) {
    for (int64_t pixel = begin; pixel < end; ++pixel) round_pixel(pixel);
  });
}

void pack_pair_weights(const Panels& panels, int64_t in_channels, int64_t taps,
                       const RawWeights& raw, float* packed) {
  const int64_t pairs = pair_count(in_channels);
  const auto pack_panel = [&](size_t p) {
    const Panels::Panel& panel = panels[p];
    const int64_t width = panels.width_of(p);
    float* panel_begin = packed + panels.width_before(p) * pairs * taps;
    std::fill_n(panel_begin, width * pairs * taps, 0.0F);
    for (int64_t o = 0; o < panel.columns; ++o) {
      const float scale = raw.scale_of(panel.begin + o);
      const float* from = raw.weights + (panel.begin + o) * in_channels * taps;
      for (int64_t j = 0; j < pairs; ++j, from += 2 * taps) {
        const bool is_pair = 2 * j + 1 < in_channels;
        for (int64_t tap = 0; tap < taps; ++tap) {
          const float second = is_pair ? from[taps + tap] * scale : 0;
          panel_begin[(tap * pairs + j) * width + o] = pair_of(from[tap] * scale, second);
        }
      }
    }
  };
  const auto count = static_cast<int64_t>(panels.size());
  const double work = static_cast<double>(panels.width() * pairs * taps);
  parallel_ranges(count, worthwhile_threads(work, count), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) pack_panel(static_cast<size_t>(p));
  });
}

const float* rounded(const PairSource& source, const float* from) {
  thread_local std::shared_ptr<Buffer> block;
  const int64_t floats = source.images * source.pixels * pair_count(source.channels);
  const int64_t bytes = floats * int64_t{sizeof(float)};
  if (block == nullptr || block->size() < bytes) {
    block = nullptr;
    block = Buffer::allocate(std::max(bytes, int64_t{4} << 20));
  }
  auto* pairs = reinterpret_cast<float*>(block->mutable_data());
  round_to_pairs(source, from, pairs);
  return pairs;
}

}  // namespace internal

Support precision_support(Precision precision) {
  if (precision == Precision::kF32 || internal::pair_simd() != internal::Simd::kNone) {
    return Support::yes();
  }
  return Support::no(fmt::format(
      "the processor has no AVX512_BF16 instructions (vectors that may be used: {}), and without "
      "them "
      "bf16 is slower than f32; use f32, or a processor like AMD Zen 4 or Intel Sapphire Rapids",
      internal::to_string(internal::available_simd())));
}

void require_precision(Precision precision) {
  const Support support = precision_support(precision);
  if (support.ok) return;
  fail(ErrorCode::kUnsupported, "precision {} cannot be had here: {}", to_string(precision),
       support.reason);
}

}  // namespace tessera
