#include "tessera/reshard/destination_folder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "tessera/base/error.h"
#include "tessera/io/faulty_file_system.h"
#include "tessera/io/memory_file_system.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using Tree = std::map<std::string, std::string>;

/// A folder on the disk: only there a marker is locked.
class Folder : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tessera-folder-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    scratch_ = name;
    root_ = scratch_ / "out";
  }
  void TearDown() override { fs::remove_all(scratch_); }

  void put(const std::string& name, const std::string& text) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  Tree tree() const {
    Tree found;
    if (!fs::exists(root_)) return found;
    for (const auto& file : fs::recursive_directory_iterator(root_)) {
      if (!file.is_regular_file()) continue;
      std::ifstream text(file.path());
      found[fs::relative(file.path(), root_).string()] = {std::istreambuf_iterator<char>(text), {}};
    }
    return found;
  }
  /// Makes `files` as reshard does.
  void make(const std::vector<fs::path>& files, const std::string& text,
            DestinationFolder::Options options = {}) const {
    DestinationFolder folder(local_file_system(), root_, files, options);
    EXPECT_TRUE(fs::exists(root_ / DestinationFolder::kMarker));
    folder.begin_commit();
    for (const fs::path& file : files) put(file.string(), text);
    folder.commit(manifest(files));
  }
  static std::string manifest(const std::vector<fs::path>& files) {
    std::string list;
    for (const fs::path& file : files)
      list +=
          fmt::format("{}{{\"path\":\"{}\",\"rank\":0}}", list.empty() ? "" : ",", file.string());
    return "{\"tessera\":1,\"files\":[" + list + "]}";
  }
  std::string error_of(const std::vector<fs::path>& files,
                       DestinationFolder::Options options = {}) const {
    try {
      const DestinationFolder folder(local_file_system(), root_, files, options);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  static void expect_in(const std::string& text, const std::vector<std::string>& words) {
    EXPECT_FALSE(text.empty());
    for (const std::string& word : words) EXPECT_NE(text.find(word), text.npos) << text;
  }

  const std::vector<fs::path> two_{"rank_0/m0.ckpt", "rank_1/m1.ckpt"};
  const std::vector<fs::path> one_{"rank_0/m0.ckpt"};
  fs::path scratch_, root_;
};

TEST_F(Folder, TheMarkerIsThereUntilTheManifestIs) {
  {
    DestinationFolder folder(local_file_system(), root_, two_, {});
    const Tree begun = tree();
    ASSERT_EQ(begun.size(), 1U);
    expect_in(begun.at("tessera.incomplete"), {"rank_0/m0.ckpt", "rank_1/m1.ckpt"});
    EXPECT_TRUE(fs::is_directory(root_ / "rank_1"));
    folder.begin_commit();
    for (const fs::path& file : two_) put(file.string(), "x");
    folder.commit(manifest(two_));
  }
  EXPECT_EQ(
      tree(),
      (Tree{{"rank_0/m0.ckpt", "x"}, {"rank_1/m1.ckpt", "x"}, {"tessera.json", manifest(two_)}}));
}

TEST_F(Folder, WhatIsNotCommittedLeavesNothing) {
  { const DestinationFolder folder(local_file_system(), root_, two_, {}); }
  EXPECT_FALSE(fs::exists(root_));
  {
    DestinationFolder folder(local_file_system(), root_, two_, {});
    folder.begin_commit();
    put("rank_0/m0.ckpt", "x");
  }
  EXPECT_FALSE(fs::exists(root_));
  fs::create_directories(root_);
  { const DestinationFolder folder(local_file_system(), root_, two_, {}); }
  EXPECT_TRUE(fs::is_empty(root_)) << "the folder was there before";
}

TEST_F(Folder, AnotherWriterIsRefusedAndChangesNothing) {
  const DestinationFolder folder(local_file_system(), root_, two_, {});
  const Tree before = tree();
  expect_in(error_of(two_), {"another process is writing to", "out"});
  expect_in(error_of(one_, {.force = true}), {"another process is writing to"});
  EXPECT_EQ(tree(), before);
  EXPECT_TRUE(fs::is_directory(root_ / "rank_1"));
}

TEST_F(Folder, AResultIsReplacedWithForceOnly) {
  make(two_, "old");
  const Tree old = tree();
  expect_in(error_of(one_), {"is not empty", "rank_0 and 2 more", "--force"});
  EXPECT_EQ(tree(), old);
  { const DestinationFolder folder(local_file_system(), root_, one_, {.force = true}); }
  EXPECT_EQ(tree(), old) << "a run that failed before it began to commit";
  make(one_, "new", {.force = true});
  EXPECT_EQ(tree(), (Tree{{"rank_0/m0.ckpt", "new"}, {"tessera.json", manifest(one_)}}));
  EXPECT_FALSE(fs::exists(root_ / "rank_1"));
}

TEST_F(Folder, CheckpointsThatAreNotOfTheResultAreRefusedEvenWithForce) {
  for (const char* name : {"mine.ckpt", "rank_0/other.ckpt", "rank_5/a.safetensors"}) {
    put(name, "mine");
    const Tree before = tree();
    expect_in(error_of(two_, {.force = true}), {name, "not of this result", "move it away"});
    EXPECT_EQ(tree(), before) << name;
    fs::remove_all(root_);
  }
  put("notes.txt", "mine");
  put("logs/old.ckpt", "mine");  // no rank's folder: nobody takes it for a part
  make(two_, "new", {.force = true});
  EXPECT_EQ(tree().at("notes.txt"), "mine");
  EXPECT_EQ(tree().at("logs/old.ckpt"), "mine");
}

TEST_F(Folder, WhatAKilledRunLeftIsRemoved) {
  const std::string marker = R"({"process":1,"files":["rank_0/m0.ckpt","rank_7/m7.ckpt"]})";
  put("tessera.incomplete", marker);
  put("rank_0/m0.ckpt", "half");
  put("rank_7/m7.ckpt", "half");
  put("rank_7/m7.ckpt.4711-2.tmp", "half");
  put("tessera.json.4711-3.tmp", "half");
  make(two_, "new");
  EXPECT_EQ(tree(), (Tree{{"rank_0/m0.ckpt", "new"},
                          {"rank_1/m1.ckpt", "new"},
                          {"tessera.json", manifest(two_)}}));
  EXPECT_FALSE(fs::exists(root_ / "rank_7"));
  fs::remove_all(root_);
  put("tessera.incomplete", "");  // killed before it wrote what it was about to make
  make(one_, "new");
  EXPECT_EQ(tree().size(), 2U);
}

TEST_F(Folder, AKilledReplacementThatHadNotBegunLeavesTheResult) {
  make(two_, "old");
  put("tessera.incomplete", R"({"process":1,"files":["rank_0/m0.ckpt"]})");
  put("rank_0/m0.ckpt.4711-2.tmp", "half");
  put("rank_0/m0.ckpt.backup.tmp", "mine");
  expect_in(error_of(one_), {"is not empty"});
  EXPECT_EQ(tree(), (Tree{{"rank_0/m0.ckpt", "old"},
                          {"rank_0/m0.ckpt.backup.tmp", "mine"},
                          {"rank_1/m1.ckpt", "old"},
                          {"tessera.json", manifest(two_)}}));
}

TEST_F(Folder, AReplacementThatIsKilledHalfWayIsStartedOver) {
  make(two_, "old");
  const pid_t child = fork();
  if (child == 0) {
    DestinationFolder folder(local_file_system(), root_, one_, {.force = true});
    folder.begin_commit();
    put("rank_0/m0.ckpt", "new");
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(tree().at("rank_1/m1.ckpt"), "old");
  EXPECT_TRUE(tree().contains("tessera.incomplete"));
  make(one_, "newer");
  EXPECT_EQ(tree(), (Tree{{"rank_0/m0.ckpt", "newer"}, {"tessera.json", manifest(one_)}}));
}

TEST_F(Folder, AReplacementThatFailsHalfWayLeavesNoMixture) {
  make(two_, "old");
  {
    DestinationFolder folder(local_file_system(), root_, one_, {.force = true});
    folder.begin_commit();
    put("rank_0/m0.ckpt", "new");
  }
  EXPECT_EQ(tree(), Tree());
  make(one_, "newer");
}

TEST_F(Folder, AMarkerThatLeavesTheFolderIsRefused) {
  std::ofstream(scratch_ / "precious") << "mine";
  const std::string outside = (scratch_ / "precious").string();
  for (const std::string& name :
       {std::string("../precious"), std::string("rank_0/../../precious"), outside, std::string()}) {
    const std::string marker = R"({"process":1,"files":[")" + name + R"("]})";
    put("tessera.incomplete", marker);
    expect_in(error_of(one_), {"not inside the folder", "killed run"});
    EXPECT_EQ(tree(), (Tree{{"tessera.incomplete", marker}}));
    put("tessera.incomplete", "");
    put("tessera.json", R"({"files":[{"path":")" + name + R"("}]})");
    expect_in(error_of(one_, {.force = true}), {"not inside the folder"});
    fs::remove_all(root_);
    EXPECT_TRUE(fs::exists(scratch_ / "precious"));
  }
  for (const char* text : {"{", "[]", "{}", "{\"files\":3}", "{\"files\":[3]}", "\xff\xff"}) {
    put("tessera.incomplete", text);
    EXPECT_NE(error_of(one_), "") << text;
    EXPECT_EQ(tree(), (Tree{{"tessera.incomplete", text}}));
  }
}

TEST_F(Folder, AFileIsNoFolder) {
  std::ofstream(root_) << "mine";
  expect_in(error_of(one_), {"is a file", "a folder is wanted"});
  expect_in(error_of(one_, {.force = true}), {"is a file"});
  EXPECT_TRUE(fs::is_regular_file(root_));
}

TEST_F(Folder, FoldersThatCannotBeMadeTakeTheMarkerAway) {
  put("rank_1", "a file in the place of a folder");
  const Tree before = tree();
  EXPECT_NE(error_of(two_, {.force = true}), "");
  EXPECT_EQ(tree(), before);
  EXPECT_FALSE(fs::exists(root_ / "rank_0"));
}

TEST(MemoryFolder, IsNotLockedButKeepsTheSameRules) {
  MemoryFileSystem files;
  {
    DestinationFolder folder(files, "out", {"rank_0/m0.ckpt"}, {});
    folder.begin_commit();
    files.put("out/rank_0/m0.ckpt", "x");
    folder.commit("{\"files\":[\"rank_0/m0.ckpt\"]}");
  }
  EXPECT_EQ(files.list("out"), (std::vector<std::string>{"rank_0", "tessera.json"}));
  EXPECT_THROW(DestinationFolder(files, "out", {"rank_0/m0.ckpt"}, {}), Error);
  FaultyFileSystem full(files, {.space = 0});
  {
    DestinationFolder folder(full, "out", {"rank_1/m1.ckpt"}, {.force = true});
    folder.begin_commit();
    EXPECT_THROW(folder.commit("{}"), Error);
  }
}

TEST(StrategyIn, ReadsWhatTheManifestSays) {
  MemoryFileSystem files;
  EXPECT_FALSE(strategy_in(files, "out").has_value());
  files.put("out/tessera.json", "{\"files\":[]}");
  EXPECT_FALSE(strategy_in(files, "out").has_value());
  files.put("out/tessera.json", R"({"layouts":"mesh {tp=2}\nw [tp]\n"})");
  EXPECT_EQ(strategy_in(files, "out")->ranks_per_stage, 2);
  EXPECT_EQ(strategy_in(files, "out")->format, "layouts.txt");
  files.put("out/tessera.json", R"({"layouts":"mesh {tp=2}\nb [-]\n*.w [tp, -]\n* [...]\n",)"
                                R"("tensors":[{"name":"a.w","shape":[7,3]},)"
                                R"({"name":"b","shape":[5]},{"name":"c","shape":[]}]})");
  const Strategy strategy = *strategy_in(files, "out");
  EXPECT_EQ(strategy.find("a.w", 0)->shape, (Shape{7, 3}));
  EXPECT_EQ(strategy.find("b", 0)->shape, (Shape{5}));
  EXPECT_TRUE(strategy.find("c", 0)->any_ndim);
  EXPECT_FALSE(strategy.find("new.w", 0)->shape.has_value());
  for (const char* text : {"", "[", "{\"layouts\":3}", "{\"layouts\":\"mesh\"}",
                           R"({"layouts":"w [-]\n","tensors":[{"name":"w","shape":[-1]}]})",
                           R"({"layouts":"w [-]\n","tensors":[{"name":"w"}]})"}) {
    files.put("out/tessera.json", text);
    try {
      strategy_in(files, "out");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCorruptData) << error.what();
      EXPECT_NE(std::string(error.what()).find("out/tessera.json"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace tessera
