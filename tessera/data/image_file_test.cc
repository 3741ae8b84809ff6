// Files that are odd, cut or damaged; tests/golden/pictures_test.cc has the pixels of every kind.
#include "tessera/data/image_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "tessera/data/internal/bmp_packed.h"
#include "tessera/data/pipeline.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

std::string npy(const std::string& dtype, const std::string& shape, const std::string& content) {
  std::string header =
      "{'descr': '" + dtype + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.resize(117, ' ');
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + "\n" + content;
}

/// A small picture of tests/corpora, as bytes.
std::string sample(const std::string& name) {
  std::ifstream file(testing::source_dir() / "tests/corpora" / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class ImageFiles : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& content) const {
    return folder_.write("picture", content);
  }
  std::string rows(const std::string& content) const {
    const std::vector<std::filesystem::path> paths{write(content)};
    const auto source = open_images(paths);
    std::string text;
    for (int64_t i = 0; i < source->size(); ++i)
      text += (i == 0 ? "" : "; ") + to_string(source->row(i).data);
    return text;
  }
  std::string error(const std::string& content, int64_t max_pixels = kMaxPixels) const {
    try {
      const std::vector<std::filesystem::path> paths{write(content)};
      open_images(paths, {.max_pixels = max_pixels})->row(0);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  void expect_error(const std::string& content, const std::string& part) const {
    EXPECT_NE(error(content).find(part), std::string::npos) << error(content);
  }

  testing::ScratchFolder folder_{"image"};
};

TEST_F(ImageFiles, ArraysAndPgmAreRead) {
  const std::string bytes("\x00\x32\x64\x96\xC8\xFF", 6);
  const std::string grey = "u8[2,3,1] {0, 50, 100, 150, 200, 255}";
  EXPECT_EQ(rows("P5\n# a comment\n3 1\n255\n" + bytes),
            "u8[1,3,3] {0, 0, 0, 50, 50, 50, 100, 100, 100}");
  EXPECT_EQ(rows("P5 2 1 3\n" + std::string("\x01\x03", 2)),
            "u8[1,2,3] {85, 85, 85, 255, 255, 255}");
  EXPECT_EQ(rows(npy("|u1", "2, 3", bytes)), grey);
  EXPECT_EQ(rows(npy("|u1", "2, 3, 1", bytes)), grey);
  EXPECT_EQ(rows(npy("|u1", "2, 1, 3, 1", bytes)),
            "u8[1,3,1] {0, 50, 100}; u8[1,3,1] {150, 200, 255}");
  EXPECT_EQ(rows(npy("|u1", "3, 1, 2", bytes)),
            "u8[1,2,1] {0, 50}; u8[1,2,1] {100, 150}; u8[1,2,1] {200, 255}");
  EXPECT_EQ(rows(npy("|u1", "2, 1, 3", bytes)), "u8[2,1,3] {0, 50, 100, 150, 200, 255}");
  EXPECT_EQ(rows(std::string("\0\0\x08\x02\0\0\0\x02\0\0\0\x03", 12) + bytes), grey);
}

TEST_F(ImageFiles, EveryCutIsRefused) {
  const std::string bytes("\x00\x32\x64\x96\xC8\xFF", 6);
  for (const std::string& whole :
       {sample("png/rgb.png"), sample("png/interlaced.png"), npy("|u1", "2, 3", bytes),
        "P5 3 2 255\n" + bytes, sample("bmp/rgb.bmp"), sample("bmp/palette_4bit.bmp"),
        sample("bmp/os2.bmp"), sample("jpeg/progressive.jpg")})
    for (size_t size = 0; size < whole.size(); ++size)
      ASSERT_NE(error(whole.substr(0, size)), "") << size << " of " << whole.size();
}

// The last bits of a sequential JPEG may be padding, which no pixel needs.
TEST_F(ImageFiles, ACutJpegIsRefusedWithItsLengthUnlessEveryPixelIsThere) {
  const std::string whole = sample("jpeg/plain.jpg");
  const Tensor pixels = read_picture(write(whole));
  size_t whole_pictures = 0;
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string message = error(whole.substr(0, size));
    if (message.empty()) {
      ++whole_pictures;
      EXPECT_TRUE(
          std::ranges::equal(read_picture(folder_.path() / "picture").bytes(), pixels.bytes()));
    }
  }
  EXPECT_GE(whole_pictures, 1U);
  EXPECT_LE(whole_pictures, 4U);
  expect_error(whole.substr(0, whole.size() - 60),
               fmt::format("the JPEG is cut: it ends after byte {}", whole.size() - 60));
}

TEST_F(ImageFiles, DamagedFilesAreRefusedOrReadButNeverCrash) {
  for (const char* name : {"png/rgb.png", "bmp/palette_4bit.bmp", "bmp/rgb_565.bmp",
                           "jpeg/progressive.jpg", "jpeg/restarts.jpg", "jpeg/cmyk.jpg"}) {
    const std::string whole = sample(name);
    for (size_t bit = 0; bit < 8 * whole.size(); bit += 3) {
      std::string damaged = whole;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
      error(damaged, 1 << 20);
    }
  }
}

TEST_F(ImageFiles, DamageInTheCodedDataOfAJpegIsNamedWithItsByte) {
  std::string file = sample("jpeg/restarts.jpg");
  const size_t scan = file.find("\xFF\xDA");
  ASSERT_NE(scan, std::string::npos);
  // Ones only: no code is of these, and a zero follows each FF of data.
  for (size_t i = scan + 20; i < scan + 36; i += 2) file.replace(i, 2, "\xFF\0", 2);
  expect_error(file, "JPEG at byte ");
  expect_error(file, "Corrupt JPEG data");
}

TEST_F(ImageFiles, WhatItIsNotIsSaid) {
  const std::pair<std::string, const char*> kinds[] = {
      {"GIF89a", "it is a GIF;"},
      {"GIF87a", "it is a GIF;"},
      {std::string("RIFF\x24\0\0\0WEBPVP8 ", 16), "it is a WebP;"},
      {std::string("RIFF\x24\0\0\0WAVEfmt ", 16), "it begins with 'RIFF$\\x00\\x00\\x00';"},
      {std::string("II*\0\x08\0\0\0", 8), "it is a TIFF;"},
      {std::string("MM\0*\0\0\0\x08", 8), "it is a TIFF;"},
      {"P6 1 1 255 abc", "it is a PPM;"},
      {"<!DOCTYPE html>", "it is a page of HTML;"},
      {std::string("\0\0\0\x1C"
                   "ftypheic",
                   12),
       "it is a HEIC;"},
      {"hello", "it begins with 'hello';"},
  };
  for (const auto& [content, part] : kinds) {
    expect_error(content, part);
    expect_error(content, "JPEG, PNG, BMP and binary PGM are read");
  }
  expect_error("", "it is empty");
  expect_error(npy("<f4", "1, 1", "abcd"), "pictures in arrays are u8");
  expect_error(npy("|u1", "1000, 1000", "abcd"), "needs 1000000 bytes");
  expect_error("P5 1000 1000 255\n", "PGM of 1000×1000 needs 1000000 bytes");
  expect_error("P5 1 1 65535\nab", "65535");
  std::string packed = sample("bmp/rle8.bmp");
  expect_error(packed.substr(0, packed.size() - 6), "the packed BMP is cut: it ends at byte");
  packed[packed.size() - 8] = 6;
  expect_error(packed, "of the packed BMP puts 6 pixels at pixel 0 of a line of 5");
  packed[30] = 2;
  expect_error(packed, "compression 2 (RLE4) at 8 bits");
  const std::filesystem::path nowhere("/nonexistent/picture.png");
  EXPECT_THROW(read_picture(nowhere), Error);
  EXPECT_THROW(open_images(std::span(&nowhere, 1)), Error);
}

/// `number` in the four bytes at `at`, most significant first.
std::string with_number(std::string file, size_t at, uint32_t number) {
  for (size_t i = 0; i < 4; ++i) file[at + i] = static_cast<char>(number >> (24 - 8 * i));
  return file;
}

TEST_F(ImageFiles, APictureOfMorePixelsThanAllowedIsRefusedByItsHeader) {
  std::string jpeg = sample("jpeg/plain.jpg");
  const size_t frame = jpeg.find("\xFF\xC0");
  ASSERT_NE(frame, std::string::npos);
  jpeg = with_number(jpeg, frame + 5, 20000U << 16 | 20000U);
  expect_error(jpeg, "a picture of 20000×20000 pixels; more than 134217728 are read only when");
  std::string bmp = sample("bmp/rgb.bmp");
  bmp.replace(18, 8, std::string("\x20\x4E\0\0\x20\x4E\0\0", 8));
  expect_error(bmp, "a picture of 20000×20000 pixels");
  expect_error("P5 20000 20000 255\n", "a picture of 20000×20000 pixels");
  EXPECT_EQ(error(sample("png/rgb.png"), 143), "");
  EXPECT_NE(error(sample("png/rgb.png"), 142).find("13×11"), std::string::npos);
  // Allowed, but the file cannot hold them: nothing is decoded.
  EXPECT_NE(error(jpeg, int64_t{1} << 40).find("pixels in"), std::string::npos);
}

TEST_F(ImageFiles, AFolderOfPicturesIsItsPicturesByName) {
  folder_.write("in/b.JPG", sample("jpeg/plain.jpg"));
  folder_.write("in/a.png", sample("png/rgb.png"));
  folder_.write("in/notes.txt", "no picture");
  folder_.write("in/below/c.png", sample("png/rgb.png"));
  const std::vector<std::filesystem::path> paths{folder_.path() / "in"};
  const auto source = open_images(paths);
  ASSERT_EQ(source->size(), 2);
  EXPECT_TRUE(source->row_name(0).ends_with("in/a.png"));
  EXPECT_TRUE(source->row_name(1).ends_with("in/b.JPG"));
  ASSERT_EQ(source->notes().size(), 1U);
  EXPECT_TRUE(source->notes()[0].starts_with("1 files in"));
  folder_.write("empty/notes.txt", "no picture");
  const std::vector<std::filesystem::path> empty{folder_.path() / "empty"};
  EXPECT_THROW(open_images(empty), Error);
}

TEST_F(ImageFiles, PicturesAreRowsWithoutLabels) {
  const std::vector<std::filesystem::path> paths{write(sample("png/grey.png")),
                                                 folder_.path() / "picture"};
  Pipeline rows = Pipeline(open_images(paths)).map("to_grey rescale(1/255) to_chw").batch(2);
  EXPECT_FALSE(rows.source().has_labels());
  const Batch batch = *rows.next();
  EXPECT_EQ(describe(batch.data), "f32[2,1,11,13]");
  EXPECT_EQ(batch.labels.data<int32_t>()[1], kNoLabel);
}

TEST(PackedBmp, RunsPixelsJumpsAndLineEnds) {
  const auto unpacked = [](std::string_view bytes, uint32_t bits) {
    const auto all = internal::unpack_rle(std::as_bytes(std::span(bytes)),
                                          {.bits = bits, .width = 6, .height = 3, .at = 0});
    std::string text;
    for (const uint8_t value : all) text += static_cast<char>('0' + value);
    return text;
  };
  using namespace std::string_view_literals;
  // Two of 1, three as they are and a byte of padding, the line's end; a jump by (2, 1); the end.
  EXPECT_EQ(unpacked("\2\1\0\3\4\5\6\0\0\0\1\7\0\2\2\1\3\2\0\1"sv, 8), "114560700000000222");
  // Runs of two colours in turn; five as they are take three bytes and one of padding.
  EXPECT_EQ(unpacked("\3\x12\0\0\0\5\x12\x34\x50\0\0\0\6\x77\0\0"sv, 4), "121000123450777777");
}

}  // namespace
}  // namespace tessera
