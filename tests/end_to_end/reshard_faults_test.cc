// What `tessera reshard` makes of bad input: a clear error and exit status 1, the source untouched,
// nothing half-written.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <sstream>
#include <thread>

#include "tessera/io/file_lock.h"
#include "tests/campaigns/shard_files.h"
#include "tests/end_to_end/program_fixture.h"

namespace tessera::testing {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

void expect_words(const std::string& text, const Words& words) {
  for (const std::string& word : words)
    EXPECT_NE(text.find(word), std::string::npos) << "wanted: " << word << "\n" << text;
}

/// LeNet-5 on 2x2 ranks: most tensors lie on two ranks each, a slice of fc2.weight on one only.
class ReshardFaults : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    layouts_ = put("layouts.txt",
                   "mesh {dp=2,tp=2}\nconv1.weight [tp, -, -, -]\nconv2.weight [-, tp, -, -]\n"
                   "fc1.weight [tp, -]\nfc1.bias [tp]\nfc2.weight [dp, tp]\n* [...]\n");
    succeed({digits("lenet5_digits.ckpt"), "--to", layouts_, "-o", in_folder("src")});
  }

  std::string put(const std::string& name, const std::string& content) const {
    fs::create_directories(fs::path(in_folder(name)).parent_path());
    write_file(in_folder(name), content);
    return in_folder(name);
  }
  static std::string name_of(int rank) {
    return "rank_" + std::to_string(rank) + "/model" + std::to_string(rank) + ".ckpt";
  }
  std::string file_of(int rank, const std::string& folder = "src") const {
    return in_folder(folder + "/" + name_of(rank));
  }
  Words list_of(const std::vector<int>& ranks) const {
    Words files;
    for (const int rank : ranks) files.push_back(file_of(rank));
    return files;
  }
  /// The files below a folder, by their path in it.
  std::map<std::string, std::string> tree(const std::string& name) const {
    std::map<std::string, std::string> found;
    if (!fs::exists(in_folder(name))) return found;
    for (const auto& file : fs::recursive_directory_iterator(in_folder(name)))
      if (file.is_regular_file())
        found[fs::relative(file.path(), in_folder(name)).string()] = read_file(file.path());
    return found;
  }

  static Outcome reshard(Words arguments) {
    arguments.insert(arguments.begin(), "reshard");
    arguments.emplace_back("--no-fsync");
    return run_tessera(arguments);
  }
  static std::string succeed(const Words& arguments) {
    const Outcome outcome = reshard(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  }
  /// Re-slices into "out": an error with these words that changes nothing.
  void refuse(Words arguments, const Words& words, bool is_whole = true) const {
    const auto before = tree("src"), result = tree("out");
    if (is_whole) arguments.emplace_back("--whole");
    arguments.insert(arguments.end(), {"-o", in_folder("out")});
    const Outcome outcome = reshard(arguments);
    EXPECT_EQ(outcome.status, 1) << outcome.out << outcome.err;
    EXPECT_EQ(outcome.err.rfind("error:", 0), 0U) << outcome.err;
    expect_words(outcome.err, words);
    EXPECT_TRUE(tree("src") == before);
    EXPECT_TRUE(tree("out") == result);
    EXPECT_TRUE(!result.empty() || !fs::exists(in_folder("out")));
  }
  /// The lines of `tessera digest`, sorted: the forms keep tensors in different orders.
  static std::multiset<std::string> digest(Words arguments) {
    arguments.insert(arguments.begin(), "digest");
    const Outcome outcome = run_tessera(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    std::multiset<std::string> lines;
    std::istringstream text(outcome.out);
    for (std::string line; std::getline(text, line);) lines.insert(line);
    EXPECT_GT(lines.size(), 3U);
    return lines;
  }

  std::string layouts_;
};

TEST_F(ReshardFaults, OfProcessesWithOneDestinationOneMakesItAndTheOthersSayWhyNot) {
  succeed({in_folder("src"), "--whole", "-o", in_folder("wanted")});
  const auto wanted = tree("wanted");
  for (int round = 0; round < 12; ++round) {
    std::vector<Outcome> outcomes(3);
    std::vector<std::thread> threads;
    for (Outcome& outcome : outcomes)
      threads.emplace_back([&outcome, this] {
        outcome = reshard({in_folder("src"), "--whole", "-o", in_folder("out")});
      });
    for (std::thread& thread : threads) thread.join();
    int made = 0;
    for (const Outcome& outcome : outcomes) {
      made += outcome.status == 0 ? 1 : 0;
      if (outcome.status == 0) continue;
      EXPECT_EQ(outcome.status, 1);
      EXPECT_TRUE(outcome.err.find("another process is writing to") != std::string::npos ||
                  outcome.err.find("is not empty") != std::string::npos)
          << outcome.err;
    }
    EXPECT_EQ(made, 1);
    EXPECT_TRUE(tree("out") == wanted);
    fs::remove_all(in_folder("out"));
  }
}

TEST_F(ReshardFaults, AFolderThatAnotherProcessWritesToIsRefusedUntilThatEnds) {
  put("out/tessera.incomplete", "");
  {
    const auto lock = FileLock::try_lock(in_folder("out/tessera.incomplete"));
    ASSERT_TRUE(lock.has_value());
    refuse({in_folder("src")}, {"another process is writing to"});
    refuse({in_folder("src"), "--force"}, {"another process is writing to"});
  }
  succeed({in_folder("src"), "--whole", "-o", in_folder("out")});
  EXPECT_EQ(tree("out").size(), 2U);
}

TEST_F(ReshardFaults, ADestinationThatIsNotEmptyIsRefusedWithoutForce) {
  put("out/notes.txt", "of mine");
  refuse({in_folder("src")}, {"is not empty", "notes.txt", "--force"});
  succeed({in_folder("src"), "--to", layouts_, "-o", in_folder("out"), "--force"});
  EXPECT_EQ(tree("out").size(), 6U);
  refuse({in_folder("src")}, {"is not empty", "--force"});
  succeed({in_folder("src"), "--whole", "-o", in_folder("out"), "--force"});
  EXPECT_EQ(tree("out").size(), 3U) << "the files of ranks 1 to 3 are of the result before";
  EXPECT_EQ(tree("out").at("notes.txt"), "of mine");
  put("out/rank_7/mine.ckpt", "another");
  refuse({in_folder("src"), "--force"}, {"rank_7/mine.ckpt", "not of this result"});
  fs::remove_all(in_folder("out"));
  write_file(in_folder("out"), "a file");
  EXPECT_EQ(reshard({in_folder("src"), "--whole", "-o", in_folder("out")}).status, 1);
  EXPECT_EQ(read_file(in_folder("out")), "a file");
}

TEST_F(ReshardFaults, TwoProcessesWithOneFileLeaveAWholeOne) {
  succeed({in_folder("src"), "--whole", "-o", in_folder("wanted.ckpt")});
  for (int round = 0; round < 5; ++round) {
    fs::create_directory(in_folder("one"));
    std::vector<Outcome> outcomes(2);
    std::vector<std::thread> threads;
    for (Outcome& outcome : outcomes)
      threads.emplace_back([&outcome, this] {
        outcome = reshard({in_folder("src"), "--whole", "-o", in_folder("one/out.ckpt")});
      });
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(outcomes[0].status == 0 || outcomes[1].status == 0) << outcomes[0].err;
    for (const Outcome& outcome : outcomes)
      if (outcome.status != 0) expect_words(outcome.err, {"is there already", "--force"});
    EXPECT_EQ(tree("one").size(), 1U);
    EXPECT_TRUE(tree("one").at("out.ckpt") == read_file(in_folder("wanted.ckpt")));
    fs::remove_all(in_folder("one"));
  }
}

TEST_F(ReshardFaults, AKilledReplacementIsStartedOverByTheSameCommand) {
  const Words old{in_folder("src"), "--to", layouts_, "--force", "-o", in_folder("out")};
  const Words whole{in_folder("src"), "--whole", "--force", "-o", in_folder("out")};
  succeed(whole);
  const auto wanted = tree("out");
  int killed = 0;
  for (int time = 1; time <= 24; ++time) {
    succeed(old);
    Words argv{"timeout",
               "-s",
               "KILL",
               "0.0" + std::to_string(100 + time).substr(1),
               std::getenv("TESSERA_PROGRAM"),
               "reshard",
               "--no-fsync"};
    argv.insert(argv.end(), whole.begin(), whole.end());
    killed += run_program(argv).status == 0 ? 0 : 1;
    succeed(whole);
    EXPECT_TRUE(tree("out") == wanted) << time;
  }
  EXPECT_GT(killed, 0);
}

TEST_F(ReshardFaults, TheSourceIsNoDestination) {
  for (const std::string& out : {in_folder("src"), in_folder("src/rank_1"), folder().string()}) {
    const auto before = tree("src");
    const Outcome outcome = reshard({in_folder("src"), "--whole", "--force", "-o", out});
    EXPECT_EQ(outcome.status, 1) << out;
    expect_words(outcome.err, {"holds the source's file", "a folder of its own"});
    EXPECT_TRUE(tree("src") == before);
  }
}

TEST_F(ReshardFaults, AFailedReplacementKeepsTheResult) {
  succeed({in_folder("src"), "--whole", "-o", in_folder("out")});
  std::string other = read_file(file_of(1));
  other[other.size() - 3] ^= 1;
  write_file(file_of(1), other);
  refuse({in_folder("src"), "--force"}, {"'fc3.bias'", "rank 0", "rank 1"});
  EXPECT_EQ(tree("out").size(), 2U);
}

TEST_F(ReshardFaults, AFullDiskIsAnErrorThatLeavesNothing) {
  const std::string program = std::getenv("TESSERA_PROGRAM");
  const auto limited = [&](const std::string& blocks, const std::string& more, Words arguments) {
    Words argv{"sh", "-c", "ulimit -f \"$0\"; exec \"$@\"" + more, blocks, program, "reshard"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run_program(argv);
  };
  const Words whole{in_folder("src"), "--whole", "-o", in_folder("out")};
  const Words ranks{in_folder("src"), "--to", layouts_, "-o", in_folder("out")};
  const auto before = tree("src");
  for (const char* blocks : {"0", "1", "8", "60", "100"}) {
    for (const Words& arguments : {whole, ranks}) {
      const Outcome outcome = limited(blocks, "", arguments);
      EXPECT_EQ(outcome.status, 1) << outcome.err;
      expect_words(outcome.err, {"error:", "out", "File too large"});
      EXPECT_FALSE(fs::exists(in_folder("out"))) << blocks;
    }
  }
  EXPECT_EQ(limited("0", " 2>" + in_folder("log"), whole).status, 1)
      << "the log's disk is full too";
  EXPECT_FALSE(fs::exists(in_folder("out")));
  succeed(whole);
  const auto result = tree("out");
  for (const char* blocks : {"0", "60"}) {
    Words again = ranks;
    again.emplace_back("--force");
    EXPECT_EQ(limited(blocks, "", again).status, 1);
    EXPECT_TRUE(tree("out") == result);
  }
  EXPECT_TRUE(tree("src") == before);
}

TEST_F(ReshardFaults, ATruncatedFileIsNamed) {
  const std::string all = read_file(file_of(2));
  for (const size_t size : {size_t{0}, size_t{1}, size_t{1000}, all.size() / 2, all.size() - 1}) {
    write_file(file_of(2), all.substr(0, size));
    refuse({in_folder("src")}, {"rank 2", "model2.ckpt"});
    refuse({in_folder("src"), "--no-check-replicas"}, {"rank 2", "model2.ckpt"});
  }
}

TEST_F(ReshardFaults, EncryptedShardsAreReadWithTheirKeyOnly) {
  const std::string key = put("key", "0123456789abcdef");
  for (int rank = 0; rank < 4; ++rank) {
    fs::create_directories(fs::path(file_of(rank, "secret")).parent_path());
    const Outcome made = run_tessera(
        {"convert", file_of(rank), file_of(rank, "secret"), "--encrypt", "--key-file", key});
    ASSERT_EQ(made.status, 0) << made.err;
  }
  const Words source{in_folder("secret"), "--from", layouts_};
  refuse(source, {"encrypted", "--key-file", "rank"});
  refuse({source[0], source[1], source[2], "--key-file", put("other", "0123456789abcdeX")},
         {"the key or the cipher is another one", "rank"});
  succeed({source[0], source[1], source[2], "--key-file", key, "--whole", "-o", in_folder("out")});
  EXPECT_EQ(digest({in_folder("out")}), digest({in_folder("src")}));
  fs::copy_file(file_of(3), file_of(3, "secret"), fs::copy_options::overwrite_existing);
  fs::remove_all(in_folder("out"));
  refuse(source, {"encrypted", "of rank"});
}

/// Two ranks with rows of `w`, whole `bias`, and `step`, which no strategy names.
class MixedRuns : public ReshardFaults {
 protected:
  struct Shard {
    int rows = 2;
    char bias = 'b';
    char step = 1;
  };
  Words write(const Shard& first, const Shard& second) const {
    for (const auto& [name, shard] :
         {std::pair("runs/rank_0/a.ckpt", first), std::pair("runs/rank_1/a.ckpt", second)}) {
      const auto width = static_cast<size_t>(4 * shard.rows);
      put(name, encode_plain_ckpt({{"w", "UInt8", {shard.rows, 4}, std::string(width, 'w')},
                                   {"bias", "UInt8", {4}, std::string(4, shard.bias)},
                                   {"step", "Int8", {1}, std::string(1, shard.step)}}));
    }
    return {in_folder("runs"), "--from", put("runs.txt", "mesh {tp=2}\nw [tp, -]\nbias [-]\n")};
  }
};

TEST_F(MixedRuns, FilesOfTwoRunsAreFoundByTheirCountersAndReplicas) {
  Words source = write({}, {.step = 2});
  refuse(source, {"'step'", "rank 0", "rank 1"});
  refuse(write({}, {.bias = 'c'}), {"'bias'", "rank 0", "rank 1", "replicated"});
  refuse(write({.rows = 3}, {.rows = 1}), {"'w'", "[2,4]"});
  source = write({}, {.step = 2});
  source.insert(source.end(), {"--allow", "step", "--whole", "-o", in_folder("out")});
  succeed(source);
  const auto merged = decode(tree("out").at("rank_0/model0.ckpt"), false);
  EXPECT_EQ(merged.at("step").bytes, "\1");
  EXPECT_EQ(merged.at("w").bytes, std::string(16, 'w'));
}

TEST_F(MixedRuns, WhatNoStrategyNamesMustBeInEveryFile) {
  const Words source = write({}, {});
  put("runs/rank_0/a.ckpt",
      encode_plain_ckpt({{"w", "UInt8", {2, 4}, "12345678"}, {"bias", "UInt8", {4}, "bbbb"}}));
  refuse(source, {"rank 0 lacks 'step'", "that of rank 1", "--allow step"});
  put("runs/rank_0/a.ckpt", encode_plain_ckpt({{"w", "UInt8", {2, 4}, "12345678"},
                                               {"bias", "UInt8", {4}, "bbbb"},
                                               {"step", "Int8", {2}, "12"}}));
  refuse(source, {"'step'", "i8[2]", "rank 0", "i8[1]", "rank 1", "layouts.txt"});
  put("runs/rank_0/a.ckpt", encode_plain_ckpt({{"w", "Int8", {2, 4}, "12345678"},
                                               {"bias", "UInt8", {4}, "bbbb"},
                                               {"step", "Int8", {1}, "1"}}));
  refuse(source, {"'w'", "u8[2,4]", "i8", "rank 0", "rank 1"});
}

TEST_F(ReshardFaults, AStrategyThatDoesNotFitIsRefused) {
  const auto to = [&](const std::string& text, const Words& words) {
    refuse({in_folder("src"), "--to", put("bad.txt", text)}, words, false);
  };
  to("mesh {tp=3}\nfc1.weight [-, -, tp]\n* [...]\n", {"'fc1.weight'", "[120,400]", "3 dims"});
  to("mesh {tp=2}\nfc1.weight [tp, -] shape=121,400\n* [...]\n", {"[121,400]", "[120,400]"});
  to("mesh {tp=2}\nfc_1.weight [tp, -]\n", {"another model", "'fc_1.weight'", "'fc1.weight'"});
  to("mesh {tp=2}\nfc1.weight [tp, -]\nfc2.weigth [-, -]\n", {"'fc2.weigth'", "'fc2.weight'"});
  to("mesh {tp=0}\n* [...]\n", {"line 1", "tp=0"});
  to("mesh {tp=2}\nfc1.weight [dp, -]\n", {"line 2", "dp"});
  const auto from = [&](const std::string& text, const Words& words) {
    refuse({in_folder("src"), "--from", put("bad.txt", text)}, words);
  };
  from("mesh {tp=3}\nfc1.weight [tp, -]\n* [...]\n", {"3 ranks", "rank 3"});
  from("mesh {tp=4}\nfc_1.weight [tp, -]\n", {"another model", "'fc_1.weight'", "'fc1.weight'"});
  from("mesh {tp=4}\nfc1.weight [tp]\n* [...]\n", {"'fc1.weight'", "1 dims"});
  from("mesh {dp=2,tp=2}\nfc1.weight [dp, tp] shape=120,400\n* [...]\n",
       {"'fc1.weight'", "[120,400]", "[120,800]"});
  // Which files are read decides what is compared.
  refuse({in_folder("src"), "--from", put("bad.txt", "mesh {tp=4}\n* [...]\n"), "--check-replicas"},
         {"'conv1.weight'", "rank 0", "rank 1", "replicated"});
}

TEST_F(ReshardFaults, AHostileShardIsAnErrorAndNoCrash) {
  int count = 0;
  const std::string good = read_file(file_of(2));
  for (const char* kind : {"ckpt", "safetensors"}) {
    for (const auto& file : fs::directory_iterator(source_dir() / "tests/corpora" / kind)) {
      fs::remove(file_of(2));
      const std::string bad = in_folder("src/rank_2/model2.") + kind;
      fs::copy_file(file.path(), bad);
      refuse({in_folder("src")}, {});
      fs::remove(bad);
      ++count;
    }
  }
  EXPECT_GT(count, 20);
  write_file(file_of(2), good);
  for (const char* kind : {"strategy_proto", "strategy_json", "layouts_txt"}) {
    for (const auto& file : fs::directory_iterator(source_dir() / "tests/corpora" / kind)) {
      const std::string from = file.path().string();
      const Outcome outcome =
          reshard({in_folder("src"), "--from", from, "--whole", "-o", in_folder("out")});
      EXPECT_LE(outcome.status, 1) << from << outcome.err;  // some fit
      EXPECT_EQ(outcome.status == 0, fs::exists(in_folder("out"))) << from;
      fs::remove_all(in_folder("out"));
    }
  }
}

TEST_F(ReshardFaults, AMissingFileIsReplacedByReplicasOrWhatIsLostIsNamed) {
  const auto wanted = digest({in_folder("src"), "--except", "fc2.weight"});
  fs::remove_all(in_folder("src/rank_3"));
  refuse({in_folder("src")}, {"'fc2.weight' f32[84,120]: [42,60]+[42,60] of rank 3", "lost",
                              "no file of rank 3 of 4 is given"});
  const std::string said = succeed({in_folder("src"), "--except", "fc2.weight", "--whole",
                                    "--verify", "-o", in_folder("merged")});
  expect_words(said, {"no file of rank 3 of 4 is given", "replicas", "verified"});
  EXPECT_EQ(digest({in_folder("merged")}), wanted);
  // What a destination rank does not need may be lost.
  succeed({in_folder("src"), "--to", layouts_, "--rank", "1", "-o", in_folder("one")});
  EXPECT_TRUE(tree("one").at(name_of(1)) == read_file(file_of(1)));
  fs::remove_all(in_folder("src/rank_1"));
  refuse({in_folder("src")}, {"'fc1.bias' f32[120]: [60]+[60] of rank 1 and 3", "'conv1.weight'",
                              "[0,60]+[42,60] of rank 1, [42,60]+[42,60] of rank 3"});
}

TEST_F(ReshardFaults, WhatIsLostOfAnUnevenResultIsKnownFromItsManifest) {
  const std::string three =
      put("three.txt", "mesh {tp=3}\nfc?.weight [tp, -]\nfc?.bias [tp]\n* [...]\n");
  succeed({in_folder("src"), "--to", three, "-o", in_folder("three")});
  fs::remove_all(in_folder("three/rank_1"));
  refuse({in_folder("three")}, {"'fc3.bias' f32[10]: [3]+[3] of rank 1",
                                "'fc3.weight' f32[10,84]: [3,0]+[3,84] of rank 1"});
  refuse({in_folder("three"), "--from", three}, {"extents cannot be known", "shape="});
}

TEST_F(ReshardFaults, AListInAnotherOrderIsRefusedWhereThereIsEvidence) {
  Words swapped = list_of({1, 0, 2, 3});
  swapped.insert(swapped.end(), {"--from", layouts_});
  refuse(swapped, {"rank_1/model1.ckpt in the place of rank 0", "rank_order"});
  swapped.insert(swapped.end(), {"--allow", "rank_order"});
  refuse(swapped, {"'conv1.weight'", "rank 0", "rank 2", "replicated"});
  Words nameless;
  for (const int rank : {1, 0, 2, 3}) {
    nameless.push_back(in_folder(std::string(1, static_cast<char>('a' + rank)) + ".ckpt"));
    fs::copy_file(file_of(rank), nameless.back());
  }
  nameless.insert(nameless.end(), {"--from", layouts_});
  refuse(nameless, {"b.ckpt", "rank 0", "replicated"});
}

TEST_F(ReshardFaults, EveryRankCanBeMadeByAProcessOfItsOwn) {
  std::vector<std::thread> threads;
  std::vector<Outcome> outcomes(6);
  const std::string to = put("six.txt", "mesh {tp=6}\nfc?.weight [tp, -]\n* [...]\n");
  for (size_t rank = 0; rank < outcomes.size(); ++rank)
    threads.emplace_back([&, rank] {
      outcomes[rank] = reshard({in_folder("src"), "--to", to, "--rank", std::to_string(rank), "-o",
                                in_folder("out"), "--verify"});
    });
  for (std::thread& thread : threads) thread.join();
  for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.status, 0) << outcome.err;
  succeed({in_folder("src"), "--to", to, "-o", in_folder("all")});
  const auto apart = tree("out"), all = tree("all");
  for (int rank = 0; rank < 6; ++rank)
    EXPECT_TRUE(apart.at(name_of(rank)) == all.at(name_of(rank)));
  EXPECT_EQ(digest({in_folder("out"), "--from", to}), digest({in_folder("src")}));
  const Outcome none = reshard({in_folder("src"), "--to", to, "--rank", "6", "-o", in_folder("x")});
  EXPECT_EQ(none.status, 1);
  expect_words(none.err, {"rank 6", "6 ranks"});
}

TEST_F(ReshardFaults, EveryFormReadsBackWithEqualDigests) {
  const auto wanted = digest({in_folder("src")});
  const std::string three = put("three.txt", "mesh {tp=3}\n*.weight [...]\nfc?.bias [tp]\n");
  for (const char* form : {"ckpt", "safetensors", "mindformers", "unified", "hf"}) {
    const bool is_whole = std::string("unified hf").find(form) != std::string::npos;
    Words arguments{in_folder("src"), "--format", form, "-o", in_folder(form)};
    const Words where = is_whole ? Words{"--whole"} : Words{"--to", layouts_};
    arguments.insert(arguments.end(), where.begin(), where.end());
    succeed(arguments);
    EXPECT_EQ(digest({in_folder(form)}), wanted) << form;
    succeed({in_folder(form), "--to", three, "-o", in_folder(std::string(form) + "3"), "--verify"});
    EXPECT_EQ(digest({in_folder(std::string(form) + "3")}), wanted) << form;
  }
}

/// Peak resident memory of a run of the program, in bytes.
int64_t peak_memory(Words arguments) {
  arguments.insert(arguments.begin(), {std::getenv("TESSERA_PROGRAM"), "reshard"});
  const pid_t child = fork();
  if (child == 0) {
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  EXPECT_EQ(status, 0);
  return int64_t{usage.ru_maxrss} << 10;
}

TEST_F(ReshardFaults, MemoryStaysUnderTheBoundForACheckpointLargerThanIt) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer takes memory of its own";
#endif
  constexpr int64_t kMiB = 1 << 20;
  // One tensor of 160 MiB per rank, zeros that take no place on the disk.
  for (const char* rank : {"0", "1"}) {
    std::string header =
        R"({"w":{"dtype":"F32","shape":[5120,8192],"data_offsets":[0,167772160]}})";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const uint64_t size = header.size();
    const std::string path = put(std::string("big/rank_") + rank + "/n.safetensors",
                                 std::string(reinterpret_cast<const char*>(&size), 8) + header);
    fs::resize_file(path, 8 + header.size() + 160 * kMiB);
  }
  const std::string from = put("from.txt", "mesh {tp=2}\nw [tp, -]\n");
  const std::string to = put("to.txt", "mesh {tp=3}\nw [-, tp]\n");
  const Words arguments{in_folder("big"), "--from", from, "--to", to, "--no-fsync", "--quiet"};
  const auto peak = [&](const Words& more) {
    Words all = arguments;
    all.insert(all.end(), more.begin(), more.end());
    all.insert(all.end(), {"--force", "-o", in_folder("out")});
    return peak_memory(all);
  };
  EXPECT_LE(peak({}), (256 + 64) * kMiB);
  EXPECT_LE(peak({"--memory", "16MiB", "--verify"}), (16 + 64) * kMiB);
  fs::remove_all(in_folder("out"));
  // What a killed run left is read as it is long.
  put("out/tessera.incomplete", R"({"process":1,"files":["rank_0/model0.ckpt"]})");
  EXPECT_LE(peak_memory({in_folder("src"), "--whole", "--quiet", "-o", in_folder("out")}),
            100 * kMiB);
}

}  // namespace
}  // namespace tessera::testing
