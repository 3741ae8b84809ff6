#include "tessera/reshard/rank_files.h"

#include <gtest/gtest.h>

#include "tessera/base/error.h"
#include "tessera/io/memory_file_system.h"

namespace tessera {
namespace {

class RankFiles : public ::testing::Test {
 protected:
  void put(std::initializer_list<const char*> paths) {
    for (const char* path : paths) files_.put(path, "x");
  }
  /// "0 a, 1 b", or the error.
  std::string found(std::vector<std::string> sources, FindOptions options = {}) const {
    options.files = &files_;
    std::string text;
    try {
      for (const RankFile& file : find_rank_files(sources, options))
        text += (text.empty() ? "" : ", ") + std::to_string(file.rank) + " " + file.path.string();
    } catch (const Error& error) {
      return error.what();
    }
    return text;
  }
  void expect_error(const std::string& text, std::initializer_list<const char*> words) const {
    for (const char* word : words) EXPECT_NE(text.find(word), text.npos) << text;
  }

  MemoryFileSystem files_;
};

TEST_F(RankFiles, FoldersOfRanksAreFoundInTheOrderOfTheirNumbers) {
  put({"c/rank_0/net.ckpt", "c/rank_2/net.ckpt", "c/rank_10/net.ckpt", "c/log.txt"});
  EXPECT_EQ(found({"c"}), "0 c/rank_0/net.ckpt, 2 c/rank_2/net.ckpt, 10 c/rank_10/net.ckpt");
}

TEST_F(RankFiles, APatternCountsAsPeopleDo) {
  put({"c/net_0.ckpt", "c/net_1.ckpt", "c/net_2.ckpt", "c/net_3.ckpt", "c/net_4.ckpt",
       "c/net_5.ckpt", "c/net_6.ckpt", "c/net_7.ckpt", "c/net_8.ckpt", "c/net_9.ckpt",
       "c/net_10.ckpt"});
  const std::string text = found({"c/net_*.ckpt"});
  EXPECT_TRUE(text.ends_with("9 c/net_9.ckpt, 10 c/net_10.ckpt")) << text;
  EXPECT_EQ(found({"c"}), text);
  expect_error(found({"c/other*"}), {"no file matches 'c/other*'"});
}

TEST_F(RankFiles, AListIsInTheOrderOfTheRanksUnlessItsPathsSayOtherwise) {
  put({"a.ckpt", "b.ckpt", "x/rank_0/n.ckpt", "x/rank_1/n.ckpt"});
  EXPECT_EQ(found({"b.ckpt", "a.ckpt"}), "0 b.ckpt, 1 a.ckpt");
  expect_error(found({"x/rank_1/n.ckpt", "x/rank_0/n.ckpt"}), {"place of rank 0", "says rank 1"});
  EXPECT_EQ(found({"x/rank_1/n.ckpt", "x/rank_0/n.ckpt"}, {.allow = {"rank_order"}}),
            "0 x/rank_1/n.ckpt, 1 x/rank_0/n.ckpt");
  expect_error(found({"a.ckpt", "gone.ckpt"}), {"no file or folder 'gone.ckpt'"});
}

TEST_F(RankFiles, TwoFilesOfOneRankAreListedAndChosenByAPattern) {
  put({"c/rank_0/old.ckpt", "c/rank_0/new.ckpt", "c/rank_1/old.ckpt", "c/rank_1/new.ckpt"});
  expect_error(found({"c"}), {"rank_0/old.ckpt", "rank_0/new.ckpt", "--pick"});
  const std::string without = found({"c"}, {.offers_pick = false});
  expect_error(without, {"rank_0/old.ckpt; name the same file of every rank"});
  EXPECT_EQ(found({"c"}, {.pick = "new*"}), "0 c/rank_0/new.ckpt, 1 c/rank_1/new.ckpt");
  expect_error(found({"c"}, {.pick = "none*"}), {"none*"});
  put({"flat/m_rank_0-a.ckpt", "flat/m_rank_0-b.ckpt", "flat/m_rank_1-a.ckpt",
       "flat/m_rank_1-b.ckpt"});
  expect_error(found({"flat"}), {"rank 0 has 2 files", "--pick"});
  EXPECT_EQ(found({"flat"}, {.pick = "*-b.ckpt"}),
            "0 flat/m_rank_0-b.ckpt, 1 flat/m_rank_1-b.ckpt");
}

TEST_F(RankFiles, SwappedFilesAndMixedStepsAreRefused) {
  put({"c/rank_0/net0.ckpt", "c/rank_1/net2.ckpt", "c/rank_2/net1.ckpt"});
  expect_error(found({"c"}), {"rank_1/net2.ckpt", "rank 2", "rank_order"});
  EXPECT_FALSE(found({"c"}, {.allow = {"rank_order"}}).empty());
  put({"d/rank_0/net-3_100.ckpt", "d/rank_1/net-3_200.ckpt"});
  expect_error(found({"d"}), {"3_200", "3_100", "mixed_steps"});
  EXPECT_EQ(found({"d"}, {.allow = {"mixed_steps"}}),
            "0 d/rank_0/net-3_100.ckpt, 1 d/rank_1/net-3_200.ckpt");
}

TEST_F(RankFiles, AStoppedResultIsNoSourceButAWholeOneIs) {
  put({"c/rank_0/m0.ckpt", "c/rank_1/m1.ckpt", "c/tessera.incomplete"});
  expect_error(found({"c"}), {"tessera.incomplete"});
  put({"c/tessera.json"});
  EXPECT_EQ(found({"c"}), "0 c/rank_0/m0.ckpt, 1 c/rank_1/m1.ckpt");
}

}  // namespace
}  // namespace tessera
