// Parts of JPEGs against the whole, with every sampling of the colours.
#include "tessera/data/internal/jpeg.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <random>

#include <jpeglib.h>

namespace tessera::internal {
namespace {

struct Coding {
  int across = 2;  // samples of brightness for one of colour
  int down = 2;
  bool progressive = false;
  bool lacks_scans = false;  // the last bits of all but the mean of a block
  int blue_down = 1;         // samples of blue for one of red
};

std::vector<std::byte> make_jpeg(int64_t height, int64_t width, const Coding& coding) {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* memory = nullptr;
  unsigned long size = 0;  // NOLINT: the type that libjpeg takes
  jpeg_mem_dest(&jpeg, &memory, &size);
  jpeg.image_width = static_cast<JDIMENSION>(width);
  jpeg.image_height = static_cast<JDIMENSION>(height);
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg.comp_info[0].h_samp_factor = coding.across;
  jpeg.comp_info[0].v_samp_factor = coding.down;
  jpeg.comp_info[1].v_samp_factor = coding.blue_down;
  if (coding.progressive) jpeg_simple_progression(&jpeg);
  constexpr std::array<jpeg_scan_info, 4> kScans = {{{3, {0, 1, 2, 0}, 0, 0, 0, 0},
                                                     {1, {0, 0, 0, 0}, 1, 63, 0, 2},
                                                     {1, {1, 0, 0, 0}, 1, 63, 0, 2},
                                                     {1, {2, 0, 0, 0}, 1, 63, 0, 2}}};
  if (coding.lacks_scans) {
    jpeg.scan_info = kScans.data();
    jpeg.num_scans = kScans.size();
  }
  jpeg_start_compress(&jpeg, TRUE);
  std::vector<unsigned char> line(static_cast<size_t>(3 * width));
  for (int64_t y = 0; y < height; ++y) {
    for (size_t i = 0; i < line.size(); ++i)
      line[i] = static_cast<unsigned char>(
          128 + 100 * std::sin(0.07 * static_cast<double>(i * (1 + i % 3)) +
                               0.11 * static_cast<double>(y * (2 + static_cast<int>(i % 3)))));
    JSAMPROW row = line.data();
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  const auto* begin = reinterpret_cast<const std::byte*>(memory);
  std::vector<std::byte> file(begin, begin + size);
  jpeg_destroy_compress(&jpeg);
  std::free(memory);  // NOLINT: libjpeg allocated it
  return file;
}

constexpr int64_t kMost = 1 << 20;

/// Whether the pixels of `box` are those of `whole`.
bool has_part(const Tensor& part, const Tensor& whole, const PixelBox& box) {
  const int64_t width = whole.shape()[1];
  for (int64_t y = box.top; y < box.bottom; ++y) {
    const auto at = static_cast<size_t>((y * width + box.left) * 3);
    const auto count = static_cast<size_t>((box.right - box.left) * 3);
    const auto a = part.bytes().subspan(at, count);
    const auto b = whole.bytes().subspan(at, count);
    if (!std::equal(a.begin(), a.end(), b.begin())) return false;
  }
  return true;
}

TEST(Jpeg, APartHasThePixelsOfTheWholeForEverySampling) {
  std::mt19937 random(5);
  const auto below = [&](int64_t end) { return static_cast<int64_t>(random() % end); };
  constexpr Coding kCodings[] = {{1, 1},
                                 {2, 1},
                                 {2, 2},
                                 {1, 2},
                                 {4, 1},
                                 {4, 2},
                                 {1, 4},
                                 {2, 2, true},
                                 {1, 1, true},
                                 {2, 2, true, true},
                                 {1, 1, true, true},
                                 {.across = 1, .down = 4, .blue_down = 2},
                                 {.across = 1, .down = 2, .progressive = true, .blue_down = 4}};
  for (const Coding& coding : kCodings)
    for (int trial = 0; trial < 100; ++trial) {
      const int64_t height = 1 + below(trial < 10 ? 40 : 200);
      const int64_t width = 1 + below(trial < 10 ? 40 : 200);
      const auto file = make_jpeg(height, width, coding);
      const Tensor whole = decode_jpeg(file, kMost).clone();
      PixelBox box;
      box.top = below(height);
      box.bottom = box.top + 1 + below(height - box.top);
      box.left = below(width);
      box.right = box.left + 1 + below(width - box.left);
      const Tensor part = decode_jpeg(file, kMost, [&](const RowType&) { return PixelsUse{box}; });
      ASSERT_TRUE(has_part(part, whole, box))
          << coding.across << "x" << coding.down << "," << coding.blue_down
          << (coding.progressive ? " progressive " : " ") << height << "x" << width << " ["
          << box.top << "," << box.bottom << ")x[" << box.left << "," << box.right << ")";
    }
}

TEST(Jpeg, PixelsGoToThePlaceThatIsGiven) {
  for (const bool progressive : {false, true}) {
    const auto file = make_jpeg(37, 53, {2, 2, progressive});
    const Tensor whole = decode_jpeg(file, kMost).clone();
    const Shape shape{37, 53, 3};
    Tensor batch(DType::kU8, {3, 37, 53, 3});
    std::ranges::fill(batch.mutable_data<uint8_t>(), uint8_t{9});
    const Tensor place = Tensor::view(batch.buffer(), element_count(shape), DType::kU8, shape);
    const Tensor row =
        decode_jpeg(file, kMost, [&](const RowType&) { return PixelsUse{.place = place}; });
    EXPECT_EQ(row.buffer(), batch.buffer());
    EXPECT_TRUE(has_part(place, whole, {0, 37, 0, 53}));
    for (const size_t beside : {element_count(shape) - 1, 2 * element_count(shape)})
      EXPECT_EQ(batch.data<uint8_t>()[beside], 9);
  }
}

TEST(Jpeg, DamageOutsideThePartIsFound) {
  for (const bool progressive : {false, true}) {
    auto file = make_jpeg(200, 200, {2, 2, progressive});
    const auto part = [](const RowType&) { return PixelsUse{PixelBox{16, 32, 16, 32}}; };
    decode_jpeg(file, kMost, part);
    file.resize(file.size() * 3 / 4);
    EXPECT_THROW(decode_jpeg(file, kMost, part), Error);
  }
}

}  // namespace
}  // namespace tessera::internal
