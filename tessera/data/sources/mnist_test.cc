#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tessera/data/row_source.h"
#include "tests/support/npy.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

std::string big_endian(std::initializer_list<uint32_t> numbers) {
  std::string bytes;
  for (const uint32_t number : numbers)
    for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<char>(number >> shift));
  return bytes;
}

std::string packed(const std::string& content) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(content.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

class Mnist : public ::testing::Test {
 protected:
  Mnist() {
    folder_ = fs::temp_directory_path() /
              ("tessera_mnist_" + std::to_string(getpid()) + "_" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Mnist() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& content) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }
  /// Two images of 2×3 whose pixels count from `first`, with labels 7 and 3.
  static std::string images(int first) {
    std::string content = big_endian({0x00000803, 2, 2, 3});
    for (int i = 0; i < 12; ++i) content.push_back(static_cast<char>(first + i));
    return content;
  }
  static std::string labels() { return big_endian({0x00000801, 2}) + "\x07\x03"; }
  void write_part(const std::string& prefix, int first) const {
    write(prefix + "-images-idx3-ubyte", images(first));
    write(prefix + "-labels-idx1-ubyte", labels());
  }
  std::shared_ptr<const RowSource> open(const std::string& below = "") const {
    return open_rows("mnist:" + folder_.string() + below);
  }
  int first_pixel(const std::string& below = "") const {
    return open(below)->row(0).data.data<uint8_t>()[0];
  }
  std::string error(const std::string& below = "") const {
    try {
      open(below);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  void expect_error(const std::string& part) const {
    const std::string message = error();
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }

  fs::path folder_;
};

TEST_F(Mnist, RowsAreTheImagesAndLabelsOfTheFiles) {
  write_part("t10k", 40);
  const auto rows = open();
  ASSERT_EQ(rows->size(), 2);
  const Row row = rows->row(1);
  EXPECT_EQ(row.label, 3);
  EXPECT_EQ(describe(row.data), "u8[2,3,1]");
  EXPECT_EQ(row.data.data<uint8_t>()[0], 46);
  EXPECT_EQ(row.data.data<uint8_t>()[5], 51);
  EXPECT_THROW(rows->row(2), Error);
}

TEST_F(Mnist, AFolderThatHoldsBothPartsGivesTestUnlessTrainIsNamed) {
  write_part("t10k", 1);
  write_part("train", 2);
  EXPECT_EQ(first_pixel(), 1);
  EXPECT_EQ(first_pixel("/"), 1);
  EXPECT_EQ(first_pixel("/test"), 1);
  EXPECT_EQ(first_pixel("/train"), 2);
  EXPECT_EQ(first_pixel("/train/"), 2);
}

TEST_F(Mnist, AFolderWithOnePartGivesIt) {
  write_part("train", 2);
  EXPECT_EQ(first_pixel(), 2);
  EXPECT_NE(error("/test"), "");
}

TEST_F(Mnist, PartsMayLieInFoldersOfTheirNames) {
  write_part("train/train", 2);
  write_part("test/t10k", 1);
  EXPECT_EQ(first_pixel(), 1);
  EXPECT_EQ(first_pixel("/test"), 1);
  EXPECT_EQ(first_pixel("/train"), 2);
}

TEST_F(Mnist, FilesMayBePackedAndMayHaveADotInTheirNames) {
  write("t10k-images.idx3-ubyte.gz", packed(images(9)));
  write("t10k-labels-idx1-ubyte", labels());
  EXPECT_EQ(first_pixel(), 9);
}

TEST_F(Mnist, AMissingFileIsNamed) {
  expect_error("t10k-images-idx3-ubyte[.gz]");
  EXPECT_NE(error("/nowhere").find("nowhere"), std::string::npos);
  write("t10k-images-idx3-ubyte", images(0));
  expect_error("no t10k-labels-idx1-ubyte");
}

TEST_F(Mnist, EveryCutOfTheFilesIsRefused) {
  const std::string whole = images(0);
  const std::string whole_packed = packed(whole);
  write("t10k-labels-idx1-ubyte", labels());
  for (size_t size = 0; size < whole.size(); ++size) {
    write("t10k-images-idx3-ubyte", whole.substr(0, size));
    EXPECT_NE(error(), "") << size;
  }
  for (size_t size = 0; size < whole_packed.size(); ++size) {
    write("t10k-images-idx3-ubyte", whole_packed.substr(0, size));
    EXPECT_NE(error(), "") << size;
  }
}

TEST_F(Mnist, WhatFollowsTheContentIsRefused) {
  write_part("t10k", 0);
  write("t10k-images-idx3-ubyte", images(0) + "x");
  expect_error("goes on after");
  write("t10k-images-idx3-ubyte", packed(images(0) + "x"));
  expect_error("goes on after");
  write("t10k-images-idx3-ubyte", packed(images(0)) + "x");
  expect_error("goes on after");
}

TEST_F(Mnist, AHeaderThatPromisesMoreThanTheFileCanHoldAllocatesNothing) {
  write("t10k-labels-idx1-ubyte", labels());
  write("t10k-images-idx3-ubyte", big_endian({0x00000803, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}));
  expect_error("more than the file can hold");
  write("t10k-images-idx3-ubyte",
        packed(big_endian({0x00000803, 0x7FFFFFFF, 0x7FFFFFFF, 1}) + "abc"));
  expect_error("more than the file can hold");
}

TEST_F(Mnist, WrongHeadersAreRefused) {
  write_part("t10k", 0);
  write("t10k-images-idx3-ubyte", labels());
  expect_error("byte 3 gives 1 dims, images (rows, height, width) have 3");
  std::string flat = images(0);
  flat[3] = '\x02';
  write("t10k-images-idx3-ubyte", flat);
  expect_error("byte 3 gives 2 dims, images (rows, height, width) have 3");
  write("t10k-images-idx3-ubyte", images(0));
  write("t10k-labels-idx1-ubyte", images(0));
  expect_error("byte 3 gives 3 dims, labels have 1");
  write("t10k-labels-idx1-ubyte", labels());
  write("t10k-images-idx3-ubyte", big_endian({0x00000D03, 2, 2, 3}) + std::string(48, '\0'));
  expect_error("element type 13");
  write("t10k-images-idx3-ubyte", "not an IDX file");
  expect_error("bytes 0 and 1");
  write("t10k-images-idx3-ubyte", big_endian({0x00000803, 1, 2, 3}) + "abcdef");
  expect_error("has 1 images");
}

TEST_F(Mnist, ADamagedPackedFileIsRefused) {
  write("t10k-labels-idx1-ubyte", labels());
  std::string file = packed(images(0));
  for (size_t at = 10; at < file.size(); ++at) {
    std::string damaged = file;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    write("t10k-images-idx3-ubyte", damaged);
    EXPECT_NE(error(), "") << at;
  }
}

// As `cat a.gz b.gz` makes them and zcat reads them.
TEST_F(Mnist, APackedFileMayHaveSeveralMembers) {
  const std::string whole = images(5);
  write("t10k-labels-idx1-ubyte.gz", packed(labels().substr(0, 9)) + packed(labels().substr(9)));
  for (size_t at = 0; at <= whole.size(); ++at) {
    const std::string file =
        packed(whole.substr(0, at)) + packed("") + packed(whole.substr(at)) + packed("");
    write("t10k-images-idx3-ubyte.gz", file);
    ASSERT_EQ(error(), "") << at;
    const auto rows = open();
    EXPECT_EQ(to_string(rows->row(1).data), "u8[2,3,1] {11, 12, 13, 14, 15, 16}");
    EXPECT_EQ(rows->row(1).label, 3);
    write("t10k-images-idx3-ubyte.gz", file.substr(0, file.size() - 1));
    expect_error("is cut after");
    write("t10k-images-idx3-ubyte.gz", file + "x");
    expect_error("goes on after");
    write("t10k-images-idx3-ubyte.gz", file + packed("x"));
    expect_error("goes on after");
  }
}

TEST_F(Mnist, ASourceWithoutItsPlaceSaysHowItIsWritten) {
  try {
    open_rows("digits");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "'digits' lacks a place after the name; write digits:train|test|SEED[,ROWS]");
  }
}

TEST_F(Mnist, AnUnknownSourceListsTheKnownOnes) {
  try {
    open_rows("mnst:/data");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("mnist:DIR"), std::string::npos) << error.what();
  }
  EXPECT_THROW(open_rows("mnist"), Error);
  EXPECT_THROW(open_rows("mnist:"), Error);
}

TEST_F(Mnist, TheRealFilesGiveTheRowsThatMindSporeReads) {
  TESSERA_NEEDS_SHARED_DATA();
  const auto rows = open_rows("mnist:" + (testing::shared_data() / "mnist").string());
  EXPECT_EQ(rows->size(), 10000);
  const auto arrays = testing::read_npz(testing::shared_data() / "mindspore/dataset/dataset.npz");
  const auto pixels = arrays.at("mnist_raw_u8").data<uint8_t>();
  for (int64_t i = 0; i < 8; ++i) {
    const Row row = rows->row(i);
    EXPECT_EQ(static_cast<uint32_t>(row.label),
              arrays.at("mnist_label").data<uint32_t>()[static_cast<size_t>(i)]);
    EXPECT_TRUE(std::equal(row.data.data<uint8_t>().begin(), row.data.data<uint8_t>().end(),
                           pixels.begin() + i * 784));
  }
}

}  // namespace
}  // namespace tessera
