#include "tessera/data/png_file.h"

#include <gtest/gtest.h>

#include "tessera/data/internal/png.h"

namespace tessera {
namespace {

TEST(PngFile, WhatIsWrittenIsReadBack) {
  std::vector<uint8_t> values(5 * 7 * 3);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(i * i);
  const Tensor pixels = Tensor::of(std::span<const uint8_t>(values), {5, 7, 3});
  const Tensor back = internal::decode_png(encode_png(pixels), 100);
  EXPECT_EQ(to_string(back), to_string(pixels));
  const Tensor grey = Tensor::of(std::span<const uint8_t>(values).first(35), {5, 7, 1});
  const Tensor wide = internal::decode_png(encode_png(grey), 100);
  EXPECT_EQ(describe(wide), "u8[5,7,3]");
  EXPECT_EQ(wide.data<uint8_t>()[3 * 34 + 1], values[34]);
}

TEST(PngFile, OnlyPicturesAreWritten) {
  EXPECT_THROW(encode_png(Tensor(DType::kF32, {2, 2, 3})), Error);
  EXPECT_THROW(encode_png(Tensor(DType::kU8, {2, 2, 2})), Error);
  EXPECT_THROW(encode_png(Tensor(DType::kU8, {0, 2, 3})), Error);
}

TEST(PngFile, AUriHoldsTheFileInBase64) {
  const Tensor pixel = Tensor::of(std::span<const uint8_t>({1, 2, 3}), {1, 1, 3});
  const std::string uri = png_uri(pixel);
  EXPECT_TRUE(uri.starts_with("data:image/png;base64,iVBORw0KGgo")) << uri;
  EXPECT_EQ((uri.size() - 22) % 4, 0U);
  EXPECT_EQ(uri.size() - 22, (encode_png(pixel).size() + 2) / 3 * 4);
}

TEST(PngFile, ShrinkingKeepsTheShapeOfThePictureAndSmallOnesWhole) {
  EXPECT_EQ(describe(shrink(Tensor(DType::kU8, {300, 600, 3}), 100)), "u8[50,100,3]");
  EXPECT_EQ(describe(shrink(Tensor(DType::kU8, {3, 1000, 1}), 100)), "u8[1,100,1]");
  EXPECT_EQ(describe(shrink(Tensor(DType::kU8, {30, 60, 3}), 100)), "u8[30,60,3]");
}

}  // namespace
}  // namespace tessera
