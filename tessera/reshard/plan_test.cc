#include "tessera/reshard/plan.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tessera/base/error.h"
#include "tessera/io/faulty_file_system.h"
#include "tessera/io/memory_file_system.h"
#include "tessera/reshard/reshard.h"

namespace tessera {
namespace {

Strategy strategy_of(const std::string& text) {
  MemoryFileSystem files;
  files.put("layouts.txt", text);
  return read_strategy("layouts.txt", files);
}

/// Eight rows of eight floats, `w`, and four floats, `b`, that both ranks hold whole.
class Plan : public ::testing::Test {
 protected:
  Plan() { write({.columns = false}); }

  struct How {
    bool columns = false;
    float second_b = 1;  // of rank 1
  };
  void write(How how) {
    for (int rank = 0; rank < 2; ++rank) {
      std::string data;
      for (int i = 0; i < 32; ++i) {
        const int row = how.columns ? i / 4 : rank * 4 + i / 8;
        const int column = how.columns ? rank * 4 + i % 4 : i % 8;
        append(data, static_cast<float>(row * 8 + column));
      }
      for (int i = 0; i < 4; ++i) append(data, rank == 0 ? 1.0F : how.second_b);
      const std::string shape = how.columns ? "[8,4]" : "[4,8]";
      std::string header = "{\"w\":{\"dtype\":\"F32\",\"shape\":" + shape +
                           ",\"data_offsets\":[0,128]},\"b\":{\"dtype\":\"F32\",\"shape\":[4],"
                           "\"data_offsets\":[128,144]}}";
      header.resize((header.size() + 7) / 8 * 8, ' ');
      const uint64_t size = header.size();
      const std::string number = std::to_string(rank);
      memory_.put("src/rank_" + number + "/net" + number + ".safetensors",
                  std::string(reinterpret_cast<const char*>(&size), 8) + header + data);
    }
  }
  static void append(std::string& data, float value) {
    data.append(reinterpret_cast<const char*>(&value), sizeof value);
  }

  Source open(const std::string& text, FileSystem& files) const {
    const Strategy strategy = strategy_of(text);
    const std::vector<std::string> sources{"src"};
    FindOptions find;
    find.files = &files;
    SourceOptions options;
    options.open.files = &files;
    options.threads = 1;
    return open_source(find_rank_files(sources, find), &strategy, options);
  }

  static constexpr const char* kRows = "mesh {tp=2}\nw [tp, -]\nb [-]\n";
  static constexpr const char* kColumns = "mesh {tp=2}\nw [-, tp]\nb [-]\n";

  MemoryFileSystem memory_;
};

TEST_F(Plan, EveryNeededByteIsReadOnceAndNoOther) {
  FaultyFileSystem files(memory_);
  const Source source = open(kRows, files);
  const Destination destination = destination_of(source.catalog(), strategy_of(kColumns));
  for (const auto& [replicas, compared] :
       {std::pair(ReplicaCheck::kAll, 16U), std::pair(ReplicaCheck::kNone, 0U)}) {
    PlanOptions options{.replicas = replicas, .threads = 1};
    const ReshardPlan plan = plan_reshard(source, destination, options);
    verify(plan, source, destination);
    EXPECT_EQ(plan.bytes_needed, 8U * 8 * 4 + 16);
    EXPECT_EQ(plan.bytes_compared, compared);
    const uint64_t before = files.state().bytes_read;
    const ReshardReport report = reshard(source, destination, plan, std::to_string(compared),
                                         {.sync = false, .files = &files});
    EXPECT_EQ(files.state().bytes_read - before, plan.bytes_needed + compared);
    EXPECT_EQ(report.bytes_read, plan.bytes_needed + compared);
    EXPECT_EQ(report.bytes_written, 2U * (8 * 4 * 4 + 16));
  }
}

TEST_F(Plan, OneRankReadsItsOwnBytesOnly) {
  FaultyFileSystem files(memory_);
  const Source source = open(kRows, files);
  const Destination destination =
      destination_of(source.catalog(), strategy_of("mesh {tp=4}\nw [tp, -]\nb [-]\n"));
  const ReshardPlan plan = plan_reshard(
      source, destination, {.replicas = ReplicaCheck::kReadFiles, .ranks = {3}, .threads = 1});
  verify(plan, source, destination);
  EXPECT_EQ(plan.bytes_needed, 2U * 8 * 4 + 16);
  const uint64_t before = files.state().bytes_read;
  reshard(source, destination, plan, "out", {.sync = false, .files = &files});
  EXPECT_EQ(files.state().bytes_read - before, plan.bytes_needed + plan.bytes_compared);
}

TEST_F(Plan, AFullDiskAndAReadErrorLeaveNothing) {
  for (const Faults& faults : {Faults{.space = 300}, Faults{.failing_write = 1}}) {
    FaultyFileSystem files(memory_, faults);
    const Source source = open(kRows, files);
    const Destination destination = destination_of(source.catalog(), strategy_of(kColumns));
    const ReshardPlan plan = plan_reshard(source, destination, {.threads = 1});
    EXPECT_THROW(reshard(source, destination, plan, "out", {.sync = false, .files = &files}),
                 Error);
    EXPECT_FALSE(memory_.is_folder("out"));
  }
  for (uint64_t number = 0; number < 40; ++number) {
    FaultyFileSystem files(memory_, {.failing_read = number});
    try {
      const Source source = open(kRows, files);
      const Destination destination = destination_of(source.catalog(), strategy_of(kColumns));
      const ReshardPlan plan = plan_reshard(source, destination, {.threads = 1});
      reshard(source, destination, plan, "out",
              {.sync = false, .force = true, .verify = true, .files = &files});
      EXPECT_GT(number, 4U);
      return;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kIo) << error.what();
      EXPECT_FALSE(memory_.is_folder("out")) << number;
    }
  }
  ADD_FAILURE() << "no number of reads is enough";
}

TEST_F(Plan, ReplicasThatDifferAreNamed) {
  write({.second_b = 2});
  const Source source = open(kRows, memory_);
  const Destination destination = whole_destination(source.catalog());
  const ReshardPlan plan = plan_reshard(source, destination, {.threads = 1});
  try {
    reshard(source, destination, plan, "out", {.sync = false, .files = &memory_});
    ADD_FAILURE() << "nobody sees it";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(error.code(), ErrorCode::kCorruptData);
    for (const char* words : {"'b'", "rank 0", "rank 1", "element [0]"})
      EXPECT_NE(text.find(words), text.npos) << text;
  }
}

}  // namespace
}  // namespace tessera
