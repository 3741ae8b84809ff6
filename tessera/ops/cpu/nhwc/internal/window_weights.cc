#include "tessera/ops/cpu/nhwc/internal/window_weights.h"

#include <algorithm>

#include "tessera/ops/cpu/internal/parallel.h"

namespace tessera::internal {
namespace {

/// Floats of a filter that are fetched before they are packed: the filters of a panel are more runs
/// than a processor follows by itself.
constexpr int64_t kAhead = 112;

class PanelPacker {
 public:
  PanelPacker(const Panels& panels, size_t p, const FilterShape& filter, const RawWeights& raw,
              float* to)
      : panel_(panels[p]), width_(panels.width_of(p)), filter_(filter), raw_(raw), to_(to) {}

  /// Products [first, last) of the panel's filters, as they lie in [i,h,w].
  void pack(int64_t first, int64_t last) const {
    int64_t k = first;
    for (; k + 16 <= last; k += 16) pack_eights<2>(k);
    for (; k + 8 <= last; k += 8) pack_eights<1>(k);
    for (; k < last; ++k)
      for (int64_t o = 0; o < width_; ++o) pack_one(o, k);
  }

 private:
  /// Where product k of the filters goes.
  float* row(int64_t k) const {
    return to_ + (k % filter_.taps * filter_.channels + k / filter_.taps) * width_;
  }

  /// Products [k, k + 8 * kCount): of each eight filters all of them, one after the other. Filters
  /// are often a multiple of the first cache's ways apart, where a line of each does not stay until
  /// it is wanted again.
  template <int kCount>
  void pack_eights(int64_t k) const {
    float* rows[8 * kCount];
    for (int64_t i = 0; i < 8 * kCount; ++i) rows[i] = row(k + i);
    int64_t o = 0;
    for (; o + 8 <= panel_.columns; o += 8) {
      float scales[8];
      for (int64_t i = 0; i < 8; ++i) scales[i] = raw_.scale_of(panel_.begin + o + i);
      const LooseFloat* from = raw_.weights + (panel_.begin + o) * filter_.size() + k;
      for (int64_t i = 0; i < 8; ++i) __builtin_prefetch(from + i * filter_.size() + kAhead, 0, 2);
      for (int64_t part = 0; part < kCount; ++part)
        transpose8(from + 8 * part, filter_.size(), scales, rows + 8 * part);
      for (float*& to : rows) to += 8;
    }
    for (; o < width_; ++o)
      for (int64_t i = 0; i < 8 * kCount; ++i) pack_one(o, k + i);
  }

  void pack_one(int64_t o, int64_t k) const {
    const int64_t channel = panel_.begin + o;
    const bool is_there = o < panel_.columns;
    row(k)[o] =
        is_there ? raw_.weights[channel * filter_.size() + k] * raw_.scale_of(channel) : 0.0F;
  }

  const Panels::Panel& panel_;
  int64_t width_;
  FilterShape filter_;
  RawWeights raw_;
  float* to_;
};

}  // namespace

int64_t window_weight_size(const Panels& panels, int64_t in_channels, int64_t taps) {
  return panels.width() * in_channels * taps;
}

void pack_window_weights(const Panels& panels, int64_t in_channels, int64_t taps,
                         const RawWeights& raw, float* packed) {
  const FilterShape filter{in_channels, taps};
  const int64_t inner = filter.size();
  constexpr int64_t kPart = 512;
  const int64_t parts = (inner + kPart - 1) / kPart;
  const int64_t count = static_cast<int64_t>(panels.size()) * parts;
  const double work = static_cast<double>(inner * panels.width());
  parallel_ranges(count, worthwhile_threads(work, count), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto p = static_cast<size_t>(i / parts);
      const int64_t first = i % parts * kPart;
      const PanelPacker packer(panels, p, filter, raw, packed + panels.width_before(p) * inner);
      packer.pack(first, std::min(first + kPart, inner));
    }
  });
}

void pack_panel(const Panels& panels, size_t p, const FilterShape& filter, const RawWeights& raw,
                float* to) {
  PanelPacker(panels, p, filter, raw, to).pack(0, filter.size());
}

}  // namespace tessera::internal
