#include "tessera/ops/cpu/nhwc/internal/winograd_weights.h"

#include <algorithm>

#include "tessera/ops/cpu/internal/parallel.h"

namespace tessera::internal {
namespace {

constexpr int64_t kTaps = 9;
constexpr int kFilters = 16;          // that are transformed together
constexpr int64_t kChannelGroup = 8;  // input channels whose taps are gathered together

}  // namespace

#define TESSERA_SIMD_BODY "tessera/ops/cpu/nhwc/internal/winograd_weights_body.inc"
#include "tessera/ops/cpu/internal/each_simd.inc"

namespace {

class PanelPacker {
 public:
  PanelPacker(const Panels& panels, size_t p, const WinogradFilters& filters, const RawWeights& raw)
      : panel_(panels[p]),
        width_(panels.width_of(p)),
        in_channels_(filters.in_channels),
        patch_(filters.patch),
        raw_(raw),
        simd_(panels.simd()) {}

  /// Input channels [first, last), whose matrices' rows go to `to` and so on.
  void pack(int64_t first, int64_t last, float* to, int64_t point_pitch) const {
    alignas(64) float taps[kChannelGroup * kTaps * kFilters];
    for (int64_t o = 0; o < width_; o += kFilters) {
      for (int64_t i = first; i < last; i += kChannelGroup) {
        const int64_t count = std::min(kChannelGroup, last - i);
        gather(o, i, count, taps);
        for (int64_t c = 0; c < count; ++c)
          transform(o, taps + c * kTaps * kFilters, to + (i - first + c) * width_ + o, point_pitch);
      }
    }
  }

 private:
  /// taps[i][tap][filter] of `count` input channels and kFilters filters from the panel's `o` on.
  void gather(int64_t o, int64_t i, int64_t count, float* taps) const {
    for (int64_t half = 0; half < kFilters; half += 8) {
      if (count == kChannelGroup && o + half + 8 <= panel_.columns) {
        gather_eight(panel_.begin + o + half, i, taps + half);
        continue;
      }
      for (int64_t f = half; f < half + 8; ++f) {
        const bool is_there = o + f < panel_.columns;
        const int64_t channel = panel_.begin + o + f;
        const LooseFloat* from = raw_.weights + (channel * in_channels_ + i) * kTaps;
        for (int64_t t = 0; t < count * kTaps; ++t)
          taps[t * kFilters + f] = is_there ? from[t] * raw_.scale_of(channel) : 0.0F;
      }
    }
  }

  void gather_eight(int64_t channel, int64_t i, float* taps) const {
    float scales[8];
    for (int64_t f = 0; f < 8; ++f) scales[f] = raw_.scale_of(channel + f);
    const LooseFloat* from = raw_.weights + (channel * in_channels_ + i) * kTaps;
    for (int64_t t = 0; t < kChannelGroup * kTaps; t += 8) {
      float* rows[8];
      for (int64_t k = 0; k < 8; ++k) rows[k] = taps + (t + k) * kFilters;
      transpose8(from + t, in_channels_ * kTaps, scales, rows);
    }
  }

  void transform(int64_t o, const float* taps, float* to, int64_t point_pitch) const {
    if (o + kFilters <= width_) return transform_whole(taps, to, point_pitch);
    float last[winograd_points(4) * kFilters];
    transform_whole(taps, last, kFilters);
    for (int64_t point = 0; point < winograd_points(patch_); ++point)
      std::copy_n(last + point * kFilters, width_ - o, to + point * point_pitch);
  }

  void transform_whole(const float* taps, float* to, int64_t point_pitch) const {
#if defined(__x86_64__)
    if (simd_ == Simd::kAvx512) {
      (patch_ == 2 ? avx512::transform_filters<4> : avx512::transform_filters<6>)(taps, to,
                                                                                  point_pitch);
    } else {
      (patch_ == 2 ? avx2::transform_filters<4> : avx2::transform_filters<6>)(taps, to,
                                                                              point_pitch);
    }
#endif
  }

  const Panels::Panel& panel_;
  int64_t width_;
  int64_t in_channels_;
  int64_t patch_;
  RawWeights raw_;
  Simd simd_;
};

/// The points of a panel by itself do not begin a multiple of 4 KiB apart, where they would share
/// cache sets.
int64_t own_point_pitch(int64_t width, int64_t in_channels) {
  return width * in_channels + 16;
}

}  // namespace

int64_t winograd_weight_size(const Panels& panels, const WinogradFilters& filters) {
  return filters.points() * panels.width() * filters.in_channels;
}

WinogradPanel winograd_panel(const Panels& panels, size_t p, const WinogradFilters& filters,
                             const float* packed) {
  return {packed + panels.width_before(p) * filters.in_channels,
          panels.width() * filters.in_channels};
}

void pack_winograd_weights(const Panels& panels, const WinogradFilters& filters,
                           const RawWeights& raw, float* packed) {
  const int64_t point_pitch = panels.width() * filters.in_channels;
  const int64_t groups = (filters.in_channels + kChannelGroup - 1) / kChannelGroup;
  const double work = static_cast<double>(point_pitch * filters.points());
  parallel_ranges(groups, worthwhile_threads(work, groups), [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kChannelGroup;
    const int64_t last = std::min(filters.in_channels, end * kChannelGroup);
    for (size_t p = 0; p < panels.size(); ++p) {
      float* to =
          packed + panels.width_before(p) * filters.in_channels + first * panels.width_of(p);
      PanelPacker(panels, p, filters, raw).pack(first, last, to, point_pitch);
    }
  });
}

int64_t winograd_panel_size(const Panels& panels, const WinogradFilters& filters) {
  int64_t widest = 0;
  for (size_t p = 0; p < panels.size(); ++p) widest = std::max(widest, panels.width_of(p));
  return filters.points() * own_point_pitch(widest, filters.in_channels);
}

WinogradPanel pack_winograd_panel(const Panels& panels, size_t p, const WinogradFilters& filters,
                                  const RawWeights& raw, float* to) {
  const int64_t point_pitch = own_point_pitch(panels.width_of(p), filters.in_channels);
  PanelPacker(panels, p, filters, raw).pack(0, filters.in_channels, to, point_pitch);
  return {to, point_pitch};
}

}  // namespace tessera::internal
