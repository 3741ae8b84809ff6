// `tessera reshard` on what MindSpore 2.10 made: equal files where MindSpore is right, the correct
// result or an error that says why where it refuses or errs.
#include <algorithm>
#include <map>

#include "tessera/io/json.h"
#include "tests/campaigns/shard_files.h"
#include "tests/end_to_end/program_fixture.h"

namespace tessera::testing {
namespace {

namespace fs = std::filesystem;
using Entries = std::map<std::string, ShardEntry>;

bool operator==(const ShardEntry& a, const ShardEntry& b) {
  return a.type == b.type && a.shape == b.shape && a.bytes == b.bytes;
}

Entries read_entries(const fs::path& path) {
  return decode(read_file(path), path.extension() == ".safetensors");
}

class ReshardTest : public ProgramTest {
 protected:
  static std::string data(const std::string& name) { return shared("mindspore/strategy/" + name); }
  static Json json_of(const std::string& name) { return parse_json(read_file(data(name)), {}); }
  static std::string text_of(const Json& object, const std::string& key) {
    const Json& value = object.at(key);
    return value.is_null() ? "" : value.as_string();
  }

  /// The command line of a case of transform_cases.json.
  std::vector<std::string> command(const std::string& name, const Json& one,
                                   const std::vector<std::string>& more = {}) const {
    std::vector<std::string> argv{
        "reshard", data(text_of(one, "source_dir")), "-o", in_folder(name), "--file-prefix", "t",
        "--verify"};
    const std::string from = text_of(one, "src_strategy_file");
    const std::string to = text_of(one, "dst_strategy_file");
    if (!from.empty()) argv.insert(argv.end(), {"--from", data(from)});
    if (to.empty()) {
      argv.push_back("--whole");
    } else {
      argv.insert(argv.end(), {"--to", data(to)});
    }
    if (text_of(one, "format") == "safetensors")
      argv.insert(argv.end(), {"--format", "safetensors"});
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  }

  /// The files below a folder that are checkpoints, by their path in it.
  static std::map<std::string, Entries> tree(const fs::path& root) {
    std::map<std::string, Entries> found;
    for (const auto& file : fs::recursive_directory_iterator(root))
      if (file.path().extension() == ".ckpt" || file.path().extension() == ".safetensors")
        found[fs::relative(file.path(), root).string()] = read_entries(file.path());
    return found;
  }

  static void expect_equal(const std::map<std::string, Entries>& mine,
                           const std::map<std::string, Entries>& theirs, const std::string& name) {
    ASSERT_EQ(mine.size(), theirs.size()) << name;
    for (const auto& [path, entries] : theirs) {
      ASSERT_TRUE(mine.contains(path)) << name << " " << path;
      const Entries& own = mine.at(path);
      EXPECT_EQ(own.size(), entries.size()) << name << " " << path;
      for (const auto& [tensor, entry] : entries) {
        ASSERT_TRUE(own.contains(tensor)) << name << " " << path << " " << tensor;
        EXPECT_TRUE(own.at(tensor) == entry) << name << " " << path << " " << tensor;
      }
    }
  }

  /// What a rank should hold, cut out of the whole tensors with the layouts that the data's
  /// description lists.
  static void expect_cut(const std::map<std::string, Entries>& mine, const std::string& config,
                         const std::string& prefix) {
    const Json root = json_of("layouts.json");
    const Entries full = read_entries(data("src/full/rank_0/net0.ckpt"));
    int rank = 0;
    for (; mine.contains("rank_" + std::to_string(rank) + "/" + prefix + std::to_string(rank) +
                         ".ckpt");
         ++rank) {
      const Entries& own =
          mine.at("rank_" + std::to_string(rank) + "/" + prefix + std::to_string(rank) + ".ckpt");
      EXPECT_EQ(own.size(), full.size());
      for (const auto& [name, whole] : full) {
        ASSERT_TRUE(own.contains(name)) << config << " " << name;
        ShardEntry wanted = whole;
        const Json* layout = config.empty() ? nullptr : root.at("configs").at(config).find(name);
        if (layout != nullptr) wanted = cut(whole, *layout, rank);
        EXPECT_TRUE(own.at(name) == wanted) << config << " rank " << rank << " " << name;
      }
    }
    EXPECT_EQ(static_cast<size_t>(rank), mine.size()) << config;
  }

  static ShardEntry cut(const ShardEntry& whole, const Json& layout, int rank) {
    Cut one;
    for (const Json& size : layout.at("D").items())
      one.matrix.push_back(static_cast<int>(size.as_int()));
    const auto add = [&](const Json& axis) {
      const auto number = static_cast<int>(axis.as_int());
      if (number >= 0) one.dims.back().push_back(static_cast<int>(one.matrix.size()) - 1 - number);
    };
    for (const Json& dim : layout.at("M").items()) {
      one.dims.emplace_back();
      if (dim.is_array()) {
        for (const Json& axis : dim.items()) add(axis);
      } else {
        add(dim);
      }
    }
    TensorSpec spec;
    spec.shape = whole.shape;
    const std::vector<Range> ranges = ranges_of(one, spec, rank);
    ShardEntry part{whole.name, whole.type, {}, {}};
    for (const Range& range : ranges) part.shape.push_back(range.end - range.begin);
    const size_t width = whole.bytes.size() / static_cast<size_t>(spec.count());
    for (int64_t e = 0; e < spec.count(); ++e) {
      bool is_inside = true;
      int64_t rest = e;
      for (size_t d = ranges.size(); d-- > 0; rest /= spec.shape[d])
        is_inside = is_inside && rest % spec.shape[d] >= ranges[d].begin &&
                    rest % spec.shape[d] < ranges[d].end;
      if (is_inside) part.bytes += whole.bytes.substr(static_cast<size_t>(e) * width, width);
    }
    return part;
  }
};

TEST_F(ReshardTest, EveryCaseThatMindSporeGetsRightIsEqual) {
  TESSERA_NEEDS_SHARED_DATA();
  int count = 0;
  const Json root = json_of("transform_cases.json");
  for (const auto& [name, one] : root.members()) {
    if (!one.at("all_correct").as_bool()) continue;
    std::vector<std::string> more;
    if (name == "two_files_per_rank_last_in_order_wins") more = {"--pick", "net*"};
    const Outcome outcome = run_tessera(command(name, one, more));
    ASSERT_EQ(outcome.status, 0) << name << ": " << outcome.err;
    expect_equal(tree(in_folder(name)), tree(data("out/" + name)), name);
    fs::remove_all(in_folder(name));
    ++count;
  }
  EXPECT_EQ(count, 40);
}

TEST_F(ReshardTest, WhatMindSporeRefusesOrGetsWrongIsRightHere) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::map<std::string, std::string> cases{
      {"tp6__to__tp4", "tp4"}, {"tp4__to__tp5", "tp5"},        {"partial4__to__tp2a", "tp2a"},
      {"tp4__to__ones", ""},   {"json_multi42__to__full", ""}, {"json_multi222__to__tp8", "tp8"}};
  const Json root = json_of("transform_cases.json");
  for (const auto& [name, config] : cases) {
    ASSERT_FALSE(root.at(name).at("all_correct").as_bool()) << name;
    const Outcome outcome = run_tessera(command(name, root.at(name)));
    ASSERT_EQ(outcome.status, 0) << name << ": " << outcome.err;
    expect_cut(tree(in_folder(name)), config, "t");
  }
}

TEST_F(ReshardTest, WhatCannotBeRightIsAnErrorThatSaysWhy) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::map<std::string, std::vector<std::string>> cases{
      {"missing_rank_file", {"'net.w1'", "[24,0]+[12,24] of rank 2"}},
      {"two_files_per_rank_last_in_order_wins",
       {"a_first_but_all_zero.ckpt", "net0.ckpt", "--pick"}},
      {"rank_directories_swapped_undetected", {"net2.ckpt", "rank 1", "rank 2", "swapped"}},
      {"wrong_source_strategy_undetected", {"'net.bias'", "rank 0", "rank 1", "replicated"}},
      {"source_strategy_has_more_devices_than_files", {"'net.w1'", "rank 4", "rank 7", "lost"}},
      {"source_strategy_has_fewer_devices_than_files_undetected", {"2 ranks", "rank 3"}},
      {"one_rank_has_a_shorter_slice", {"'net.w1'", "[1,24] in the file of rank 3"}},
      {"one_rank_lacks_a_parameter", {"'net.w1'", "[36,0]+[12,24] of rank 3"}}};
  const Json root = json_of("transform_cases.json");
  size_t others = 0;
  for (const auto& [name, one] : root.members()) {
    const auto found = cases.find(name);
    if (found == cases.end()) {
      others += one.at("all_correct").as_bool() ? 0 : 1;
      continue;
    }
    const Outcome outcome = run_tessera(command(name, one));
    EXPECT_EQ(outcome.status, 1) << name << outcome.out;
    for (const std::string& words : found->second)
      EXPECT_NE(outcome.err.find(words), std::string::npos) << name << ": " << outcome.err;
    EXPECT_FALSE(fs::exists(in_folder(name))) << name;
  }
  EXPECT_EQ(others, 6u);  // those of the test before
}

/// The two-rank Llama-2 checkpoint, whose strategy file is of another run.
class Llama : public ReshardTest {
 protected:
  static std::string source() { return shared("ckpt/sharded_llama2/llama2-13b-fp16_v1"); }
  /// A layouts.txt for so many ranks.
  std::string layouts(int ranks) const {
    const std::string path = in_folder("layouts" + std::to_string(ranks) + ".txt");
    std::string text = "mesh {tp=" + std::to_string(ranks) + "}\n";
    for (const char* name : {"wq", "wk", "wv", "w1", "w3"})
      text += "*." + std::string(name) + ".weight [tp, -]\n";
    text += "*.wo.weight [-, tp]\n*.w2.weight [-, tp]\nlm_head.weight [tp, -]\n* [...]\n";
    write_file(path, text);
    return path;
  }
  std::map<std::string, std::string> digests(const std::string& name) const {
    std::map<std::string, std::string> found;
    const Json root = parse_json(read_file(in_folder(name + "/tessera.json")), {});
    for (const Json& tensor : root.at("tensors").items())
      found[tensor.at("name").as_string()] = tensor.at("digest").as_string();
    return found;
  }
};

TEST_F(Llama, ShardsMergeAndGoToOtherNumbersOfRanksAndBackWithEqualDigests) {
  TESSERA_NEEDS_SHARED_DATA();
  const Outcome merged = run_tessera(
      {"reshard", source(), "--from", layouts(2), "--whole", "-o", in_folder("whole"), "--verify"});
  ASSERT_EQ(merged.status, 0) << merged.err;
  const auto wanted = digests("whole");
  EXPECT_EQ(wanted.size(), 12u);
  for (const int ranks : {1, 3, 4, 7}) {
    const std::string there = "to" + std::to_string(ranks), back = "back" + std::to_string(ranks);
    Outcome outcome = run_tessera({"reshard", source(), "--from", layouts(2), "--to",
                                   layouts(ranks), "-o", in_folder(there), "--verify"});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(digests(there), wanted);
    outcome = run_tessera({"reshard", in_folder(there), "--from", layouts(ranks), "--to",
                           layouts(2), "-o", in_folder(back), "--verify", "--check-replicas"});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(digests(back), wanted);
    for (const int rank : {0, 1}) {
      const std::string folder = "/rank_" + std::to_string(rank) + "/";
      const Entries theirs = read_entries(source() + folder + "fp16.ckpt");
      const Entries own =
          read_entries(in_folder(back) + folder + "model" + std::to_string(rank) + ".ckpt");
      ASSERT_EQ(own.size(), theirs.size());
      for (const auto& [name, entry] : theirs) EXPECT_TRUE(own.at(name) == entry) << name;
    }
  }
}

TEST_F(Llama, AStrategyThatContradictsTheShardsIsDiagnosedByName) {
  TESSERA_NEEDS_SHARED_DATA();
  const Outcome outcome =
      run_tessera({"reshard", source(), "--from",
                   shared("ckpt/strategy/golden-stick_llama2-13b-2p_ckpt_strategy_rank_0.ckpt"),
                   "--whole", "-o", in_folder("whole")});
  EXPECT_EQ(outcome.status, 1) << outcome.out;
  EXPECT_NE(outcome.err.find("'lm_head.weight'"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("replicated"), std::string::npos) << outcome.err;
  EXPECT_FALSE(fs::exists(in_folder("whole")));
}

}  // namespace
}  // namespace tessera::testing
