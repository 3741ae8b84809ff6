// The PNG files were written by Pillow from the 2×3 picture 0 50 100 / 150 200 255 (colour: red,
// green / blue, 10 20 30); the wanted values are the pixels that went in, or Pillow's conversion to
// grey.
#include "tessera/data/image_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <string>

#include "tessera/data/pipeline.h"

namespace tessera {
namespace {

constexpr std::string_view kGrey =
    "89504e470d0a1a0a0000000d4948445200000003000000020800000000b81f39c6000000104944415478"
    "9c63643032629876e23f00068702c3edb413ac0000000049454e44ae426082";
constexpr std::string_view kColour =
    "89504e470d0a1a0a0000000d4948445200000002000000020802000000fdd49a73000000164944415478"
    "9c63f8cfc0c0f09f818181e13f97881c001a58033a82e0ab530000000049454e44ae426082";
constexpr std::string_view kPalette =
    "89504e470d0a1a0a0000000d4948445200000003000000020203000000e01a8e890000000c504c5445e4"
    "e4e4969696646464191919ace8d2590000000c49444154789c63f8c1e00000032c01397c59e4fa000000"
    "0049454e44ae426082";
constexpr std::string_view kOneBit =
    "89504e470d0a1a0a0000000d4948445200000003000000020100000000b50f5bb70000000c4944415478"
    "9c63606078000000e400e1abced8240000000049454e44ae426082";
constexpr std::string_view kAlpha =
    "89504e470d0a1a0a0000000d4948445200000003000000020804000000377dae91000000164944415478"
    "9c636460376230626098c67e82fd3f3b000d3902dfe1ccd7800000000049454e44ae426082";
constexpr std::string_view kSixteenBits =
    "89504e470d0a1a0a0000000d4948445200000003000000021000000000e88fe585000000164944415478"
    "9c6364e0346230626098c67982f33f27000d6302e7d656b2d60000000049454e44ae426082";

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    int value = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
    bytes.push_back(static_cast<char>(value));
  }
  return bytes;
}

std::string npy(const std::string& dtype, const std::string& shape, const std::string& content) {
  std::string header =
      "{'descr': '" + dtype + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.resize(117, ' ');
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + "\n" + content;
}

class ImageFile : public ::testing::Test {
 protected:
  ImageFile()
      : path_(std::filesystem::temp_directory_path() /
              ("tessera_image_" + std::to_string(getpid()) +
               ::testing::UnitTest::GetInstance()->current_test_info()->name())) {}
  ~ImageFile() override { std::filesystem::remove(path_); }

  std::vector<Tensor> read(const std::string& content) const {
    std::ofstream(path_, std::ios::binary) << content;
    return read_images(path_);
  }
  std::string pixels(const std::string& content) const {
    std::string text;
    for (const Tensor& image : read(content)) text += (text.empty() ? "" : "; ") + to_string(image);
    return text;
  }
  std::string error(const std::string& content) const {
    try {
      read(content);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  std::filesystem::path path_;
};

constexpr const char* kPicture = "u8[2,3,1] {0, 50, 100, 150, 200, 255}";

TEST_F(ImageFile, PngOfEveryKindBecomesGreyBytes) {
  EXPECT_EQ(pixels(from_hex(kGrey)), kPicture);
  EXPECT_EQ(pixels(from_hex(kAlpha)), kPicture);
  EXPECT_EQ(pixels(from_hex(kSixteenBits)), kPicture);
  EXPECT_EQ(pixels(from_hex(kOneBit)), "u8[2,3,1] {0, 0, 0, 255, 255, 255}");
  EXPECT_EQ(pixels(from_hex(kPalette)), "u8[2,3,1] {25, 25, 100, 150, 228, 228}");
  EXPECT_EQ(pixels(from_hex(kColour)), "u8[2,2,1] {76, 150, 29, 18}");
}

TEST_F(ImageFile, PgmNpyAndIdxAreRead) {
  const std::string bytes("\x00\x32\x64\x96\xC8\xFF", 6);
  EXPECT_EQ(pixels("P5\n# a comment\n3 2\n255\n" + bytes), kPicture);
  EXPECT_EQ(pixels("P5 2 1 3\n" + std::string("\x01\x03", 2)), "u8[1,2,1] {85, 255}");
  EXPECT_EQ(pixels(npy("|u1", "2, 3", bytes)), kPicture);
  EXPECT_EQ(pixels(npy("|u1", "2, 3, 1", bytes)), kPicture);
  EXPECT_EQ(pixels(npy("|u1", "2, 1, 3", bytes)),
            "u8[1,3,1] {0, 50, 100}; u8[1,3,1] {150, 200, 255}");
  EXPECT_EQ(pixels(std::string("\0\0\x08\x02\0\0\0\x02\0\0\0\x03", 12) + bytes), kPicture);
}

TEST_F(ImageFile, EveryCutOfAPngOrNpyIsRefused) {
  const std::string bytes("\x00\x32\x64\x96\xC8\xFF", 6);
  for (const std::string& whole :
       {from_hex(kGrey), npy("|u1", "2, 3", bytes), "P5 3 2 255\n" + bytes})
    for (size_t size = 0; size < whole.size(); ++size)
      EXPECT_NE(error(whole.substr(0, size)), "") << size;
}

TEST_F(ImageFile, ADamagedPngIsRefusedOrReadButNeverCrashes) {
  const std::string whole = from_hex(kColour);
  for (size_t bit = 64; bit < 8 * whole.size(); ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    error(damaged);
  }
}

TEST_F(ImageFile, WhatItIsNotIsSaid) {
  const std::pair<std::string, const char*> kinds[] = {
      {std::string("\xFF\xD8\xFF\xE0\0\x10JFIF", 10), "it is a JPEG;"},
      {std::string("BM\x46\0\0\0", 6), "it is a BMP;"},
      {"GIF89a", "it is a GIF;"},
      {"GIF87a", "it is a GIF;"},
      {std::string("RIFF\x24\0\0\0WEBPVP8 ", 16), "it is a WebP;"},
      {std::string("RIFF\x24\0\0\0WAVEfmt ", 16), "it begins with 'RIFF$\\x00\\x00\\x00';"},
      {std::string("II*\0\x08\0\0\0", 8), "it is a TIFF;"},
      {std::string("MM\0*\0\0\0\x08", 8), "it is a TIFF;"},
      {"P6 1 1 255 abc", "it is a PPM;"},
      {"hello", "it begins with 'hello';"},
  };
  for (const auto& [content, part] : kinds) {
    EXPECT_NE(error(content).find(part), std::string::npos) << error(content);
    EXPECT_NE(error(content).find("PNG, binary PGM, IDX and .npy are read"), std::string::npos);
  }
  EXPECT_NE(error(npy("<f4", "1, 1", "abcd")).find("uint8"), std::string::npos);
  EXPECT_NE(error(npy("|u1", "1000, 1000", "abcd")).find("needs 1000000 bytes"), std::string::npos);
  EXPECT_NE(error("P5 1000000 1000000 255\n").find("PGM"), std::string::npos);
  EXPECT_NE(error("P5 1 1 65535\nab").find("65535"), std::string::npos);
  EXPECT_THROW(read_images("/nonexistent/picture.png"), Error);
  EXPECT_THROW(read_images(std::filesystem::temp_directory_path()), Error);
}

TEST_F(ImageFile, PicturesAreRowsWithoutLabels) {
  read(from_hex(kGrey));
  const std::vector<std::filesystem::path> paths{path_, path_};
  Pipeline rows = Pipeline(open_images(paths)).map("rescale(1/255) to_chw").batch(2);
  EXPECT_FALSE(rows.source().has_labels());
  const Batch batch = *rows.next();
  EXPECT_EQ(describe(batch.data), "f32[2,1,2,3]");
  EXPECT_EQ(batch.labels.data<int32_t>()[1], kNoLabel);
}

}  // namespace
}  // namespace tessera
