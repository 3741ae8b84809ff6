// Linear resizing of bytes with the pixels of OpenCV's fixed-point INTER_LINEAR, which MindSpore's
// pipeline gives: every output is the sum of four inputs by weights of 11 bits, cut and rounded
// where OpenCV cuts and rounds. Weights are computed once for a size, and only the part that is
// wanted is computed.
//
//   const LinearResize resize({28, 28, 1}, {32, 32, 1}, {0, 32, 0, 32});
//   resize.run(from, to);
//   resize.run(from, [](int64_t y, std::span<const uint8_t> line) { … });
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "tessera/data/lines/line_steps.h"

namespace tessera::internal {

/// Thirty-two sums, of bytes that two loads of sixty-four hold.
struct ResizeBlock {
  alignas(64) std::array<uint8_t, 128> choices;  // of the loads' bytes, one per word
  std::array<int16_t, 64> weights;               // of these words: near and far for each sum
  int32_t place = 0;                             // of the loads in a line
};

class LinearResize {
 public:
  /// Whether OpenCV does so: a picture of half the height and width becomes means of four.
  static bool is_used(const Shape& from, const Shape& to);

  /// Of u8 [h,w,c], which differ in h and w only. `part` of the result is computed.
  LinearResize(const Shape& from, const Shape& to, const PixelBox& part);

  const PixelBox& part() const { return part_; }
  /// `from` and `to` hold whole pictures; of `to` the part is written. Thread-safe.
  void run(const uint8_t* from, uint8_t* to) const;
  /// The same with the lines of the part, counted from its first.
  void run(const uint8_t* from, const LineTask& take) const;

 private:
  /// Two inputs of a dim and their weights, in 1/2048.
  struct Taps {
    int32_t near_at = 0;
    int32_t far_at = 0;
    int16_t near_weight = 0;
    int16_t far_weight = 0;
  };
  static Taps taps_of(int64_t place, int64_t from, int64_t to);
  void prepare_columns(int64_t from, int64_t to);
  void prepare_groups();
  void prepare_blocks();
  /// `channels`: a number, or one known at compile time.
  template <typename Count>
  static void sum_columns(std::span<const Taps> columns, Count channels, const uint8_t* line,
                          int16_t* sums);
  void resize_line(const uint8_t* line, int16_t* sums) const;
  /// `out(y)` is where line y of the part goes, `done(y)` is called behind it.
  template <typename Out, typename Done>
  void make_lines(const uint8_t* from, const Out& out, const Done& done) const;

  int64_t channels_;
  int64_t from_line_;  // bytes
  int64_t to_line_;
  PixelBox part_;
  std::vector<Taps> lines_;    // places are lines
  std::vector<Taps> columns_;  // places are bytes of a line
  /// Of the first columns, where the processor has AVX2; see Groups.
  size_t group_columns_ = 1;
  std::vector<int32_t> group_places_;
  std::vector<int8_t> group_choices_;
  std::vector<int16_t> group_weights_;
  /// Of all columns, where the processor has AVX-512 VBMI and they lie near enough; see
  /// ResizeBlock.
  std::vector<ResizeBlock> blocks_;
  bool blocks_are_near_ = true;  // one load holds the bytes of any
};

}  // namespace tessera::internal
