// Images in the formats that convolutions leave, row-major, channels last or in blocks of channels,
// as one: rows of blocks of positions of lanes. Lane l of block b is channel b * lanes + l.
#pragma once

#include <algorithm>
#include <array>

#include "tessera/graph/kernel.h"

namespace tessera::internal {

struct ChannelView {
  int64_t outer = 0;   // n
  int64_t blocks = 0;  // of channels
  int64_t inner = 0;   // positions: products of the dims behind c
  int64_t lanes = 1;   // channels that lie side by side

  int64_t channels() const { return blocks * lanes; }
  /// Elements of one row.
  int64_t row() const { return blocks * inner * lanes; }
};

/// The view of [n,c,...] in this format; lanes are 0 where it is no such format, or where blocks
/// reach beyond the last channel.
ChannelView channel_view(const Shape& shape, const Format& format);

/// `format` where it has a view, else row-major.
Format viewable(const Shape& shape, const Format& format);

/// The format in which images of `shape` have so many lanes: 1, 8, 16 or all channels.
Format channel_format(const Shape& shape, int64_t lanes);

/// Adds to sums[k][channel] what terms(at, channel) gives, for every element `at` of one block:
/// `at` counts from the block's first element, channels from its first.
template <size_t kSums, typename Terms>
void add_block(const ChannelView& view, const Terms& terms, std::array<double*, kSums> sums) {
  constexpr int64_t kWide = 16;  // independent sums: the compiler makes vectors of them
  constexpr int64_t kRun = 256;  // elements that a float adds up
  if (view.lanes == 1) {
    float part[kSums][kWide] = {};
    int64_t i = 0;
    for (; i + kWide <= view.inner; i += kWide) {
      for (int64_t w = 0; w < kWide; ++w) {
        const std::array<float, kSums> term = terms(i + w, 0);
        for (size_t k = 0; k < kSums; ++k) part[k][w] += term[k];
      }
    }
    for (; i < view.inner; ++i) {
      const std::array<float, kSums> term = terms(i, 0);
      for (size_t k = 0; k < kSums; ++k) part[k][0] += term[k];
    }
    for (size_t k = 0; k < kSums; ++k)
      for (const float sum : part[k]) *sums[k] += sum;
    return;
  }
  for (int64_t first = 0; first < view.inner; first += kRun) {
    const int64_t last = std::min(view.inner, first + kRun);
    int64_t lane = 0;
    for (; lane + kWide <= view.lanes; lane += kWide) {
      float part[kSums][kWide] = {};
      for (int64_t i = first; i < last; ++i) {
        for (int64_t w = 0; w < kWide; ++w) {
          const std::array<float, kSums> term = terms(i * view.lanes + lane + w, lane + w);
          for (size_t k = 0; k < kSums; ++k) part[k][w] += term[k];
        }
      }
      for (size_t k = 0; k < kSums; ++k)
        for (int64_t w = 0; w < kWide; ++w) sums[k][lane + w] += part[k][w];
    }
    for (; lane < view.lanes; ++lane) {
      for (int64_t i = first; i < last; ++i) {
        const std::array<float, kSums> term = terms(i * view.lanes + lane, lane);
        for (size_t k = 0; k < kSums; ++k) sums[k][lane] += term[k];
      }
    }
  }
}

/// out[at] = value(at, channel) for every element of one block.
template <typename Function>
void map_block(const ChannelView& view, float* out, const Function& value) {
  if (view.lanes == 1) {
    for (int64_t i = 0; i < view.inner; ++i) out[i] = value(i, 0);
    return;
  }
  for (int64_t i = 0; i < view.inner; ++i) {
    for (int64_t lane = 0; lane < view.lanes; ++lane) {
      const int64_t at = i * view.lanes + lane;
      out[at] = value(at, lane);
    }
  }
}

}  // namespace tessera::internal
