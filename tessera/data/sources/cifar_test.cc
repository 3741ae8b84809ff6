#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tessera/data/row_source.h"
#include "tests/support/npy.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

/// A record whose pixel (y, x) is red = first + y, green = first + x, blue = 9.
std::string record(std::initializer_list<int> labels, int first) {
  std::string bytes;
  for (const int label : labels) bytes.push_back(static_cast<char>(label));
  for (int y = 0; y < 32; ++y) bytes.append(32, static_cast<char>(first + y));
  for (int y = 0; y < 32; ++y)
    for (int x = 0; x < 32; ++x) bytes.push_back(static_cast<char>(first + x));
  return bytes + std::string(1024, '\x09');
}

class Cifar : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) const {
    folder_.write(name, content);
  }
  std::shared_ptr<const RowSource> open(const std::string& below = "",
                                        const std::string& source = "cifar10") const {
    return open_rows(source + ":" + folder_.path().string() + below);
  }
  std::string error(const std::string& below = "", const std::string& source = "cifar10") const {
    try {
      open(below, source);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  void expect_error(const std::string& part, const std::string& below = "") const {
    const std::string message = error(below);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }

  testing::ScratchFolder folder_{"cifar"};
};

TEST_F(Cifar, PlanesBecomePixels) {
  write("test_batch.bin", record({3}, 10) + record({9}, 20));
  const auto rows = open();
  ASSERT_EQ(rows->size(), 2);
  EXPECT_TRUE(rows->has_labels());
  const Row row = rows->row(1);
  EXPECT_EQ(row.label, 9);
  EXPECT_EQ(rows->class_names()[9], "truck");
  EXPECT_EQ(rows->row_name(1), "row 1");
  ASSERT_EQ(describe(row.data), "u8[32,32,3]");
  const auto pixels = row.data.data<uint8_t>();
  for (size_t y = 0; y < 32; ++y)
    for (size_t x = 0; x < 32; ++x) {
      const uint8_t* pixel = &pixels[(y * 32 + x) * 3];
      ASSERT_EQ(pixel[0], 20 + y);
      ASSERT_EQ(pixel[1], 20 + x);
      ASSERT_EQ(pixel[2], 9);
    }
  EXPECT_THROW(rows->row(2), Error);
  EXPECT_THROW(rows->row(-1), Error);
}

TEST_F(Cifar, PartsAreChosenAsMnistChoosesThem) {
  write("cifar-10-batches-bin/test_batch.bin", record({1}, 0));
  write("cifar-10-batches-bin/data_batch_1.bin", record({2}, 0) + record({3}, 0));
  write("cifar-10-batches-bin/data_batch_2.bin", record({4}, 0));
  for (const std::string below :
       {"", "/", "/test", "/cifar-10-batches-bin", "/cifar-10-batches-bin/test"})
    EXPECT_EQ(open(below)->row(0).label, 1) << below;
  for (const std::string below : {"/train", "/train/", "/cifar-10-batches-bin/train"}) {
    const auto rows = open(below);
    ASSERT_EQ(rows->size(), 3) << below;
    EXPECT_EQ(rows->row(0).label, 2);
    EXPECT_EQ(rows->row(2).label, 4);
  }
}

TEST_F(Cifar, AFolderWithTrainingFilesOnlyGivesThem) {
  write("data_batch_1.bin", record({2}, 0));
  EXPECT_EQ(open()->row(0).label, 2);
  EXPECT_NE(error("/test").find("no test_batch.bin[.gz]"), std::string::npos) << error("/test");
}

TEST_F(Cifar, AHoleAmongTheTrainingFilesIsNamed) {
  write("data_batch_1.bin", record({2}, 0));
  write("data_batch_3.bin", record({2}, 0));
  expect_error("holds data_batch_3.bin but no data_batch_2.bin", "/train");
}

TEST_F(Cifar, WhatLacksIsNamed) {
  expect_error("no test_batch.bin or data_batch_1.bin[.gz] of cifar10's binary version");
  EXPECT_NE(error("", "cifar100").find("test.bin or train.bin"), std::string::npos);
}

TEST_F(Cifar, CutFilesAndLabelsOutsideTheClassesAreRefused) {
  const std::string whole = record({3}, 10) + record({7}, 20);
  for (const size_t size : {size_t{0}, size_t{1}, whole.size() / 2 - 1, whole.size() - 1}) {
    write("test_batch.bin", whole.substr(0, size));
    expect_error("no whole number of records of 3073");
  }
  write("test_batch.bin", record({3}, 0) + record({10}, 0));
  expect_error("byte 3073 is label 10, cifar10 has 10 classes");
}

TEST_F(Cifar, Cifar100HasFineAndCoarseLabels) {
  write("cifar-100-binary/test.bin", record({19, 99}, 1));
  const auto fine = open("", "cifar100");
  EXPECT_EQ(fine->row(0).label, 99);
  EXPECT_EQ(fine->class_names().size(), 100U);
  EXPECT_EQ(fine->class_names()[99], "worm");
  const auto coarse = open("/test,coarse", "cifar100");
  EXPECT_EQ(coarse->row(0).label, 19);
  EXPECT_EQ(coarse->class_names().size(), 20U);
  EXPECT_EQ(coarse->class_names()[0], "aquatic_mammals");
  EXPECT_EQ(open(",fine", "cifar100")->row(0).label, 99);
  write("cifar-100-binary/test.bin", record({20, 99}, 1));
  EXPECT_NE(error(",coarse", "cifar100").find("byte 0 is label 20"), std::string::npos);
}

TEST_F(Cifar, TheRealFilesGiveTheRowsThatMindSporeReads) {
  TESSERA_NEEDS_SHARED_DATA();
  const auto rows = open_rows("cifar10:" + (testing::shared_data() / "cifar10").string());
  EXPECT_EQ(rows->size(), 10000);
  const auto arrays = testing::read_npz(testing::shared_data() / "mindspore/dataset/dataset.npz");
  const auto pixels = arrays.at("cifar_raw_u8").data<uint8_t>();
  for (int64_t i = 0; i < arrays.at("cifar_raw_u8").shape()[0]; ++i) {
    const Row row = rows->row(i);
    EXPECT_EQ(static_cast<uint32_t>(row.label),
              arrays.at("cifar_label").data<uint32_t>()[static_cast<size_t>(i)]);
    EXPECT_TRUE(std::equal(row.data.data<uint8_t>().begin(), row.data.data<uint8_t>().end(),
                           pixels.begin() + i * 3072));
  }
}

}  // namespace
}  // namespace tessera
