#include "tessera/reshard/source.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tessera/base/error.h"
#include "tessera/checkpoint/writer.h"
#include "tessera/io/memory_file_system.h"
#include "tessera/reshard/reshard.h"

namespace tessera {
namespace {

using Named = std::vector<std::pair<std::string, Shape>>;

/// Files of ranks in memory; the elements of a tensor count up from 0, so equal shapes have equal
/// bytes.
class SourceOfRanks : public ::testing::Test {
 protected:
  void put(Rank rank, const Named& tensors) {
    WriteOptions options;
    options.files = &memory_;
    const std::string path = fmt::format("job/rank_{}/net.safetensors", rank);
    CheckpointWriter writer(path, options);
    for (const auto& [name, shape] : tensors) {
      Tensor tensor(DType::kU8, shape);
      uint8_t next = 0;
      for (std::byte& byte : tensor.mutable_bytes()) byte = static_cast<std::byte>(next++);
      writer.add(name, tensor);
    }
    writer.finish();
    std::erase_if(files_, [&](const RankFile& file) { return file.rank == rank; });
    files_.push_back({rank, path});
    std::sort(files_.begin(), files_.end(),
              [](const auto& a, const auto& b) { return a.rank < b.rank; });
  }

  Source open(const std::string& layouts, SourceOptions options = {}) {
    options.open.files = &memory_;
    options.threads = 1;
    if (layouts.empty()) return open_source(files_, nullptr, options);
    const Strategy strategy = parse_layouts(layouts);
    return open_source(files_, &strategy, options);
  }
  void refuse(const std::string& layouts, const std::vector<std::string>& words,
              SourceOptions options = {}) {
    try {
      open(layouts, std::move(options));
      ADD_FAILURE() << "accepted " << layouts;
    } catch (const Error& error) {
      expect_words(error.what(), words);
    }
  }
  static void expect_words(const std::string& text, const std::vector<std::string>& words) {
    for (const std::string& word : words) EXPECT_NE(text.find(word), text.npos) << text;
  }
  /// What planning all of it on one rank says.
  static std::string plan_error(const Source& source) {
    try {
      plan_reshard(source, whole_destination(source.catalog()), {.threads = 1});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  static SourceOptions allowing(const std::string& name) {
    SourceOptions options;
    options.open.allow = {name};
    return options;
  }
  static std::string notes(const Source& source) {
    return std::accumulate(source.notes.begin(), source.notes.end(), std::string());
  }
  static Shape shape(const Source& source, const std::string& name) {
    return source.catalog().records[*source.catalog().index_of(name)].shape;
  }

  MemoryFileSystem memory_;
  std::vector<RankFile> files_;
};

constexpr const char* kRows = "mesh {tp=2}\nw [tp, -]\n";

TEST_F(SourceOfRanks, WhatTheStrategyNamesIsPutTogetherAndTheRestIsUnnamed) {
  put(0, {{"w", {2, 3}}, {"step", {}}});
  put(1, {{"w", {1, 3}}, {"step", {}}});
  put(0, {{"w", {1, 3}}, {"step", {}}});
  put(1, {{"w", {2, 3}}, {"step", {}}});
  const Source source = open(kRows);
  EXPECT_EQ(shape(source, "w"), (Shape{3, 3}));
  const auto step = *source.catalog().index_of("step"), w = *source.catalog().index_of("w");
  EXPECT_TRUE(source.is_unnamed[step]);
  EXPECT_FALSE(source.is_unnamed[w]);
  EXPECT_EQ(source.is_guessed, (std::vector<bool>{false, false}));
  EXPECT_EQ(source.rank_of_file, (std::vector<Rank>{0, 1}));
  EXPECT_EQ(source.rank_count, 2);
  EXPECT_EQ(source.catalog().records[step].pieces.size(), 2U)
      << "both are compared when it is read";
  EXPECT_EQ(notes(source), "");
  put(0, {{"w", {2, 3}}, {"step", {}}});
  put(1, {{"w", {1, 3}}, {"step", {}}});
  refuse(kRows, {"'w'", "u8[2,3] in the file of rank 0", "[1,3] of the whole [3,3]"});
}

TEST_F(SourceOfRanks, WithoutAStrategyEveryFileHoldsAllOfIt) {
  put(0, {{"w", {2, 3}}});
  put(1, {{"w", {2, 3}}});
  EXPECT_EQ(open("").is_unnamed, (std::vector<bool>{true}));
  put(1, {{"w", {1, 3}}});
  refuse("", {"'w'", "u8[2,3] in the file of rank 0", "u8[1,3] in the file of rank 1", "--from",
              "layouts.txt"});
  files_.resize(1);
  EXPECT_EQ(open("").is_unnamed, (std::vector<bool>{false})) << "one file contradicts nobody";
}

TEST_F(SourceOfRanks, AnUnnamedTensorMissingInAFileIsAnErrorUnlessItIsAllowed) {
  put(0, {{"w", {1, 3}}});
  put(1, {{"w", {1, 3}}, {"step", {2}}});
  refuse(kRows, {"rank 0 lacks 'step'", "that of rank 1", "--allow step"});
  const Source source = open(kRows, allowing("step"));
  const auto number = *source.catalog().index_of("step");
  EXPECT_EQ(source.catalog().records[number].pieces.size(), 1U);
  EXPECT_FALSE(source.is_unnamed[number]) << "there is nothing to compare";
  SourceOptions without;
  without.except = {"st*"};
  EXPECT_EQ(open(kRows, without).catalog().records.size(), 1U);
}

TEST_F(SourceOfRanks, ATensorThatOneFileLacksIsTakenFromAReplicaOrLost) {
  const std::string layouts = "mesh {dp=2,tp=2}\nw [tp, -]\nv [dp, tp]\n";
  for (Rank rank = 0; rank < 4; ++rank) put(rank, {{"w", {1, 3}}, {"v", {1, 1}}});
  put(2, {{"v", {1, 1}}});
  Source source = open(layouts);
  expect_words(notes(source), {"the file of rank 2 lacks 'w'; a replica is used"});
  EXPECT_EQ(plan_error(source), "");
  put(2, {{"w", {1, 3}}});
  source = open(layouts);
  EXPECT_EQ(shape(source, "v"), (Shape{2, 2})) << "the others of its row and column say so";
  expect_words(plan_error(source), {"'v' u8[2,2]: [1,0]+[1,1] of rank 2"});
  EXPECT_EQ(plan_error(source).find("'w'"), std::string::npos);
}

TEST_F(SourceOfRanks, AMissingRankIsNotedAndWhatOnlyItHeldIsNamed) {
  const std::string layouts = "mesh {tp=3}\nw [tp] shape=7\nb [-]\n";
  put(0, {{"w", {2}}, {"b", {4}}});
  put(2, {{"w", {3}}, {"b", {4}}});
  const Source source = open(layouts);
  expect_words(notes(source), {"no file of rank 1 of 3 is given", "replicas"});
  EXPECT_EQ(shape(source, "w"), (Shape{7}));
  EXPECT_EQ(source.lost[*source.catalog().index_of("w")], "[2]+[2] of rank 1");
  EXPECT_EQ(source.lost[*source.catalog().index_of("b")], "");
  const std::string error = plan_error(source);
  expect_words(error, {"parts of 1 tensor are lost", "'w' u8[7]: [2]+[2] of rank 1",
                       "no file of rank 1 of 3"});
  put(2, {{"w", {2}}, {"b", {4}}});
  refuse(layouts, {"'w'", "u8[2]", "[3] of the whole [7]"});
}

TEST_F(SourceOfRanks, ExtentsThatNobodyKnowsAreNotMadeUp) {
  const std::string layouts = "mesh {tp=3}\nw [tp]\nb [-]\n";
  put(0, {{"w", {2}}, {"b", {4}}});
  put(2, {{"w", {3}}, {"b", {4}}});
  const Source source = open(layouts);
  EXPECT_TRUE(source.is_guessed[*source.catalog().index_of("w")]);
  EXPECT_FALSE(source.is_guessed[*source.catalog().index_of("b")]);
  expect_words(plan_error(source), {"'w': its extents cannot be known", "shape="});
  SourceOptions without;
  without.except = {"w"};
  EXPECT_EQ(plan_error(open(layouts, without)), "");
}

TEST_F(SourceOfRanks, UnevenPartsOfOneDimAddUp) {
  for (const int64_t extent : {1, 2, 5, 7, 64}) {
    files_.clear();
    for (Rank rank = 0; rank < 5; ++rank)
      put(rank, {{"w", {extent * (rank + 1) / 5 - extent * rank / 5}}});
    const Source source = open("mesh {tp=5}\nw [tp]\n");
    EXPECT_EQ(shape(source, "w"), (Shape{extent}));
    EXPECT_EQ(plan_error(source), "");
    const ReshardPlan plan = plan_reshard(source, whole_destination(source.catalog()), {});
    EXPECT_EQ(plan.bytes_needed, static_cast<uint64_t>(extent));
  }
}

TEST_F(SourceOfRanks, StagesHoldTensorsOfTheirOwnAndSomeTogether) {
  const std::string layouts =
      "stages 2\nmesh {tp=2}\nstage 0\nembed [tp, -]\nfirst [-, tp]\n"
      "stage 1\nembed [-, tp]\nlast [tp]\n";
  const Named stage0{{"embed", {2, 4}}, {"first", {3, 1}}, {"norm", {2}}};
  const Named stage1{{"embed", {4, 2}}, {"last", {5}}};
  for (Rank rank = 0; rank < 2; ++rank) put(rank, stage0);
  for (Rank rank = 2; rank < 4; ++rank) put(rank, stage1);
  Source source = open(layouts);
  EXPECT_EQ(source.rank_count, 4);
  EXPECT_EQ(shape(source, "embed"), (Shape{4, 4}));
  EXPECT_EQ(shape(source, "last"), (Shape{10}));
  EXPECT_TRUE(source.is_unnamed[*source.catalog().index_of("norm")]);
  EXPECT_EQ(source.catalog().records[*source.catalog().index_of("norm")].pieces.size(), 2U);
  EXPECT_EQ(plan_error(source), "");
  put(1, {{"embed", {2, 4}}, {"first", {3, 1}}});
  refuse(layouts, {"rank 1 lacks 'norm'", "that of rank 0"});
  put(1, stage0);
  // One stage alone holds all of `embed`, even where the files of the other are not there.
  files_.erase(files_.begin());
  source = open(layouts);
  const std::string error = plan_error(source);
  EXPECT_EQ(error.find("'embed'"), error.npos) << error;
  expect_words(error, {"'first'", "rank 0"});
  put(3, {{"embed", {4, 1}}, {"last", {5}}});
  refuse(layouts, {"embed"});
}

TEST_F(SourceOfRanks, AStageThatIsCompleteByReplicasIsEnough) {
  const std::string layouts =
      "stages 2\nmesh {tp=2}\nstage 0\nw [tp] shape=6\nstage 1\nw [-] shape=6\n";
  put(0, {{"w", {3}}});
  put(2, {{"w", {6}}});
  const Source source = open(layouts);
  EXPECT_EQ(source.lost[0], "");
  EXPECT_EQ(plan_error(source), "");
  files_.pop_back();
  expect_words(plan_error(open(layouts)), {"'w' u8[6]: [3]+[3] of rank 1"});
}

TEST_F(SourceOfRanks, StagesMayCompleteEachOther) {
  const std::string layouts =
      "stages 2\nmesh {tp=2}\nstage 0\nw [tp] shape=6\nstage 1\nw [tp] shape=6\n";
  put(0, {{"w", {3}}});
  put(3, {{"w", {3}}});
  EXPECT_EQ(plan_error(open(layouts)), "");
}

TEST_F(SourceOfRanks, AFileOfARankThatTheStrategyDoesNotHaveIsOfAnotherRun) {
  put(0, {{"w", {1, 3}}});
  put(2, {{"w", {1, 3}}});
  refuse(kRows, {"2 ranks", "rank 2", "another training run"});
}

TEST_F(SourceOfRanks, TypesAndDimsThatContradictAreNamed) {
  put(0, {{"w", {1, 3}}});
  put(1, {{"w", {3}}});
  refuse(kRows, {"'w'", "u8[3] in the file of rank 1"});
  refuse("mesh {tp=2}\nw [tp, -, -]\n", {"'w'", "u8[1,3] in the file of rank 0", "3 dims"});
  WriteOptions options;
  options.files = &memory_;
  CheckpointWriter writer("job/rank_1/net.safetensors", options);
  writer.add("w", Tensor(DType::kI8, {1, 3}));
  writer.finish();
  refuse(kRows, {"'w'", "i8[1,3]", "rank 1", "u8", "rank 0"});
}

TEST_F(SourceOfRanks, ThirtyTwoRanksLessOneNameTheSliceOfThatOne) {
  const std::string layouts = "mesh {a=2,b=4,c=4}\nw [a c, b]\nv [b, c]\n";
  const Named tensors{{"w", {2, 2}}, {"v", {2, 2}}};
  for (Rank missing = 0; missing < 32; missing += 5) {
    files_.clear();
    for (Rank rank = 0; rank < 32; ++rank)
      if (rank != missing) put(rank, tensors);
    const Source source = open(layouts);
    const int a = missing / 16, b = missing / 4 % 4, c = missing % 4;
    EXPECT_EQ(source.lost[*source.catalog().index_of("w")],
              fmt::format("[{},{}]+[2,2] of rank {}", 2 * (4 * a + c), 2 * b, missing));
    EXPECT_EQ(source.lost[*source.catalog().index_of("v")], "");
  }
}

TEST_F(SourceOfRanks, StrategiesOfAnotherModelAreToldByTheirNames) {
  put(0, {{"net.w", {1, 3}}});
  put(1, {{"net.w", {1, 3}}});
  refuse(kRows, {"another model", "'w'"});
  SourceOptions renamed;
  renamed.renaming.rules = {parse_renaming("net.*=*")};
  EXPECT_EQ(open(kRows, renamed).catalog().records[0].name, "w");
  const Source source = open("mesh {tp=2}\nnet.w [tp, -]\nnet.b [-]\n");
  expect_words(notes(source), {"names what no file holds", "'net.b'"});
  files_.resize(1);
  refuse("mesh {tp=2}\nnet.w [tp, -]\nnet.b [-]\n", {"'net.b'", "1 of 2 files", "missing_tensor"});
}

}  // namespace
}  // namespace tessera
