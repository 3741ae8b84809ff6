// The loops of exact.h by themselves: every kind of vectors gives the bits of the chain written
// with std::fma.
#include "tessera/ops/cpu/internal/exact.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

namespace tessera::internal {
namespace {

std::vector<Simd> kinds_of_vectors() {
  std::vector<Simd> kinds = {Simd::kNone};
  if (available_simd() != Simd::kNone) kinds.push_back(Simd::kAvx2);
  if (available_simd() == Simd::kAvx512) kinds.push_back(Simd::kAvx512);
  return kinds;
}

std::vector<float> random_floats(std::mt19937& random, int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) {
    value = std::ldexp(static_cast<float>(random() % 2001) - 1000,
                       static_cast<int>(random() % 40) - 20);
  }
  return values;
}

/// Sums, bias and residual of one product, as the head of exact.h says it.
std::vector<float> chains(const MatrixView<float>& a, const MatrixView<float>& b,
                          const ExactEnd& end) {
  std::vector<float> out;
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < b.columns; ++j) {
      float acc = 0;
      for (int64_t k = 0; k < a.columns; ++k) {
        acc = std::fma(a.data[i * a.row_stride + k * a.column_stride],
                       b.data[k * b.row_stride + j * b.column_stride], acc);
      }
      if (end.bias != nullptr) acc += end.bias[end.bias_of_rows ? i : j];
      if (end.residual != nullptr) acc += end.residual[out.size()];
      out.push_back(acc > 0 ? acc : 0);  // relu
    }
  }
  return out;
}

TEST(Exact, EveryKindOfVectorsGivesTheBitsOfTheChain) {
  std::mt19937 random(5);
  for (int round = 0; round < 150; ++round) {
    const int64_t rows = random() % 40 + 1;
    const int64_t columns = random() % 200 + 1;
    const int64_t inner = round == 0 ? 0 : static_cast<int64_t>(random() % 100);
    const std::vector<float> x = random_floats(random, rows * inner);
    const std::vector<float> y = random_floats(random, inner * columns);
    const std::vector<float> bias = random_floats(random, std::max(rows, columns));
    const std::vector<float> residual = random_floats(random, rows * columns);
    const MatrixView<float> a({rows, inner, inner, 1}, x.data());
    const MatrixView<float> b({inner, columns, 1, inner}, y.data());
    ExactEnd end;
    end.activation = Activation::kRelu;
    end.bias_of_rows = round % 2 == 1;
    if (round % 3 != 0) end.bias = bias.data();
    if (round % 5 != 0) end.residual = residual.data();
    const std::vector<float> wanted = chains(a, b, end);
    for (const Simd simd : kinds_of_vectors()) {
      const RowTiles tiles(rows, simd);
      std::vector<float> packed_a(x.size());
      std::vector<float> packed_b(static_cast<size_t>(panel_count(columns) * kPanel * inner));
      pack_tiles(a, tiles, 0, tiles.count, packed_a.data());
      pack_panels(b, 0, panel_count(columns), packed_b.data());
      std::vector<float> found(wanted.size(), NAN);
      run_exact(
          {simd, inner, packed_a.data(), packed_b.data(), found.data(), columns, columns, end},
          tiles, 0, tiles.count);
      ASSERT_EQ(std::memcmp(wanted.data(), found.data(), wanted.size() * sizeof(float)), 0)
          << to_string(simd) << " " << rows << "x" << inner << "x" << columns;
    }
  }
}

TEST(Exact, WindowsArePackedAlikeByEveryKindOfVectors) {
  std::mt19937 random(6);
  for (int round = 0; round < 200; ++round) {
    const int64_t width = random() % 40 + 3;
    const int64_t height = random() % 12 + 3;
    Windows windows;
    windows.column_step = random() % 2 + 1;
    windows.row_step = width * (random() % 2 + 1);
    windows.out_width = (width - 3) / windows.column_step + 1;
    windows.pixels = windows.out_width * ((height - 3) / (windows.row_step / width) + 1);
    for (int64_t tap = 0; tap < 9; ++tap) windows.taps.push_back(tap / 3 * width + tap % 3);
    const std::vector<float> image = random_floats(random, width * height + kPanel);
    const int64_t panels = panel_count(windows.pixels);
    for (const Simd simd : kinds_of_vectors()) {
      std::vector<float> packed(static_cast<size_t>(panels * kPanel * 9 + kPanel), NAN);
      windows.simd = simd;
      pack_windows(windows, image.data(), 0, panels, packed.data());
      for (int64_t pixel = 0; pixel < windows.pixels; ++pixel) {
        const int64_t first = pixel / windows.out_width * windows.row_step +
                              pixel % windows.out_width * windows.column_step;
        for (int64_t k = 0; k < 9; ++k) {
          const int64_t at = (pixel / kPanel * 9 + k) * kPanel + pixel % kPanel;
          ASSERT_EQ(packed[static_cast<size_t>(at)],
                    image[static_cast<size_t>(first + windows.taps[static_cast<size_t>(k)])])
              << to_string(simd) << " pixel " << pixel << " tap " << k;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tessera::internal
