// MindSpore's functions against what MindSpore 2.10 itself made of the same files: where it is
// right the same dtype, shape and bytes; where it refuses or errs the right result, or an error
// that says why.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/io/json.h"
#include "tessera/model/distributed_checkpoint.h"
#include "tests/support/error_of.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

using testing::error_of;
namespace fs = std::filesystem;

fs::path data() {
  return testing::shared_data() / "mindspore" / "strategy";
}

Json cases_in(const char* name) {
  return parse_json(read_text(data() / name));
}

/// A folder of its own that is removed.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "tessera_facade_XXXXXX").string();
    root_ = mkdtemp(name.data());
  }
  ~Scratch() { fs::remove_all(root_); }
  fs::path operator/(const std::string& name) const { return root_ / name; }

 private:
  fs::path root_;
};

fs::path only_file_in(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) return entry.path();
  return {};
}

ParameterMap rank_of(const fs::path& root, int rank) {
  return load_checkpoint(only_file_in(root / fmt::format("rank_{}", rank)));
}

/// "" or what differs. `skips`: names of `wanted` that need not be there.
std::string difference(const ParameterMap& found, const ParameterMap& wanted,
                       bool same_names = true) {
  if (same_names && found.entries.size() != wanted.entries.size())
    return fmt::format("{} parameters, wanted {}", found.entries.size(), wanted.entries.size());
  for (const auto& [name, value] : wanted.entries) {
    const Tensor* here = found.find(name);
    if (here == nullptr) {
      if (!same_names) continue;
      return name + " is missing";
    }
    const Tensor& there = std::get<Tensor>(value);
    if (describe(*here) != describe(there))
      return fmt::format("{} is {}, wanted {}", name, describe(*here), describe(there));
    if (!std::ranges::equal(here->bytes(), there.bytes())) return name + " has other values";
  }
  return "";
}

fs::path strategy_in(const Json& one, const char* key) {
  const Json& file = one.at(key);
  return file.is_null() ? fs::path() : data() / file.as_string();
}

TransformOptions options_of(const Json& one) {
  TransformOptions options;
  options.src_strategy_file = strategy_in(one, "src_strategy_file");
  options.dst_strategy_file = strategy_in(one, "dst_strategy_file");
  options.output_format = one.at("format").as_string();
  options.process_num = 1;
  options.sync = false;
  return options;
}

int ranks_of(const fs::path& strategy) {
  return strategy.empty() ? 1 : read_strategy(strategy).rank_count();
}

/// MindSpore takes the last file by name; Tessera is told which.
constexpr std::string_view kTwoFiles = "two_files_per_rank_last_in_order_wins";

TEST(MindSporeTransform, TheSameFilesWhereMindSporeIsRight) {
  TESSERA_NEEDS_SHARED_DATA();
  int compared = 0;
  const Json cases = cases_in("transform_cases.json");
  for (const auto& [name, one] : cases.members()) {
    if (!one.at("transform_checkpoints_error").is_null() || !one.at("all_correct").as_bool())
      continue;
    const Scratch scratch;
    TransformOptions options = options_of(one);
    if (name == kTwoFiles) options.pick = "net*";
    options.verify = true;
    transform_checkpoints(data() / one.at("source_dir").as_string(), scratch / "out", "t", options);
    for (int rank = 0; rank < ranks_of(options.dst_strategy_file); ++rank) {
      const fs::path file = fmt::format("rank_{}/t{}.{}", rank, rank, options.output_format);
      const fs::path theirs = data() / "out" / name / file;
      EXPECT_TRUE(fs::exists(scratch / "out" / file)) << name;
      if (!fs::exists(theirs)) continue;  // not all were kept
      ++compared;
      EXPECT_EQ(difference(load_checkpoint(scratch / "out" / file), load_checkpoint(theirs)), "")
          << name << " rank " << rank;
    }
  }
  EXPECT_GT(compared, 150);
}

/// The destination as the reference data's independent arithmetic cuts it, or as the same from
/// another case.
struct Right {
  const char* name;
  const char* same_as;
};

TEST(MindSporeTransform, TheRightFilesWhereMindSporeRefusesOrErrs) {
  TESSERA_NEEDS_SHARED_DATA();
  const Json cases = cases_in("transform_cases.json");
  for (const Right& right : {Right{"tp6__to__tp4", "src/tp4"},            // 6 ranks to 4
                             Right{"tp4__to__ones", "src/full"},          // no split at all
                             Right{"json_multi222__to__tp8", "src/tp8"},  // nested in JSON
                             Right{"json_multi42__to__full", "src/full"},
                             Right{"partial4__to__tp2a", "src/tp2a"}}) {  // it copies them whole
    const Scratch scratch;
    const Json& one = cases.at(right.name);
    const TransformOptions options = options_of(one);
    transform_checkpoints(data() / one.at("source_dir").as_string(), scratch / "out", "t", options);
    for (int rank = 0; rank < ranks_of(options.dst_strategy_file); ++rank)
      EXPECT_EQ(difference(rank_of(scratch / "out", rank), rank_of(data() / right.same_as, rank)),
                "")
          << right.name << " rank " << rank;
  }
  // 48 rows over 5 ranks: nobody else cuts so; there and back is the proof.
  const Scratch scratch;
  TransformOptions options = options_of(cases.at("tp4__to__tp5"));
  transform_checkpoints(data() / "src/tp4", scratch / "five", "t", options);
  std::swap(options.src_strategy_file, options.dst_strategy_file);
  transform_checkpoints(scratch / "five", scratch / "four", "t", options);
  for (int rank = 0; rank < 4; ++rank)
    EXPECT_EQ(difference(rank_of(scratch / "four", rank), rank_of(data() / "src/tp4", rank)), "");
}

struct Refusal {
  const char* name;
  std::vector<const char*> says;
};

TEST(MindSporeTransform, AnErrorThatSaysWhyWhereTheFilesAreWrong) {
  TESSERA_NEEDS_SHARED_DATA();
  const Json cases = cases_in("transform_cases.json");
  std::set<std::string> handled{"tp6__to__tp4",           "tp4__to__ones",
                                "json_multi222__to__tp8", "json_multi42__to__full",
                                "partial4__to__tp2a",     "tp4__to__tp5"};
  const std::vector<Refusal> refusals{
      {"missing_rank_file", {"net.", "are lost", "rank 2"}},
      {"rank_directories_swapped_undetected", {"rank 1", "net2.ckpt", "swapped"}},
      {"wrong_source_strategy_undetected", {"net.", "strategy"}},
      {"source_strategy_has_more_devices_than_files", {"net.", "rank 4"}},
      {"source_strategy_has_fewer_devices_than_files_undetected", {"2 ranks", "rank 3"}},
      {"one_rank_has_a_shorter_slice", {"net.", "rank "}},
      {"one_rank_lacks_a_parameter", {"net.", "are lost", "rank 3"}},
  };
  for (const Refusal& refusal : refusals) {
    handled.insert(refusal.name);
    const Scratch scratch;
    const Json& one = cases.at(refusal.name);
    const std::string error = error_of([&] {
      transform_checkpoints(data() / one.at("source_dir").as_string(), scratch / "out", "t",
                            options_of(one));
    });
    for (const char* part : refusal.says)
      EXPECT_NE(error.find(part), error.npos)
          << refusal.name << " lacks '" << part << "': " << error;
    EXPECT_FALSE(fs::exists(scratch / "out")) << refusal.name;
  }
  const Scratch scratch;
  const Json& two = cases.at(kTwoFiles);
  const std::string error = error_of([&] {
    transform_checkpoints(data() / two.at("source_dir").as_string(), scratch / "out", "t",
                          options_of(two));
  });
  EXPECT_NE(error.find("a_first_but_all_zero.ckpt"), error.npos) << error;
  EXPECT_NE(error.find("--pick"), error.npos) << error;
  for (const auto& [name, one] : cases.members())
    EXPECT_TRUE(one.at("all_correct").as_bool() || handled.contains(name)) << name;
}

TEST(MindSporeTransform, TheRankListIsPartOfMindSporesAndEnough) {
  TESSERA_NEEDS_SHARED_DATA();
  int lists = 0, shorter = 0;
  const Json cases = cases_in("transform_cases.json");
  for (const auto& [name, one] : cases.members()) {
    const TransformOptions options = options_of(one);
    for (const auto& [rank_text, theirs] : one.at("rank_list_for_transform").members()) {
      if (!theirs.is_array()) continue;
      const auto rank = static_cast<Rank>(*parse_int(rank_text));
      const std::vector<Rank> ours =
          rank_list_for_transform(rank, options.src_strategy_file, options.dst_strategy_file);
      std::set<Rank> allowed;
      for (const Json& item : theirs.items()) allowed.insert(static_cast<Rank>(item.as_int()));
      EXPECT_TRUE(std::is_sorted(ours.rbegin(), ours.rend())) << name;
      for (const Rank needed : ours)
        EXPECT_TRUE(allowed.contains(needed)) << name << " rank " << rank << " needs " << needed;
      ++lists;
      shorter += ours.size() < allowed.size() ? 1 : 0;
      if (!one.at("all_correct").as_bool() || name == kTwoFiles) continue;
      const Scratch scratch;
      std::map<Rank, fs::path> files;
      for (const Rank needed : ours)
        files[needed] = only_file_in(data() / one.at("source_dir").as_string() /
                                     fmt::format("rank_{}", needed));
      const fs::path file = scratch / ("made." + options.output_format);
      transform_checkpoint_by_rank(rank, files, file, options);
      const fs::path wanted = data() / "out" / name / fmt::format("rank_{}", rank);
      if (!fs::exists(wanted)) continue;
      EXPECT_EQ(difference(load_checkpoint(file), load_checkpoint(only_file_in(wanted))), "")
          << name << " rank " << rank;
    }
  }
  EXPECT_GT(lists, 150);
  EXPECT_GT(shorter, 20);
}

PredictStrategy predict_in(const Json& json) {
  PredictStrategy predict;
  for (const auto& [name, items] : json.members()) {
    PredictLayout& layout = predict[name];
    for (const Json& extent : items.items()[0].items())
      layout.device_matrix.push_back(static_cast<int>(extent.as_int()));
    for (const Json& dim : items.items()[1].items()) {
      std::vector<int>& of_dim = layout.tensor_map.emplace_back();
      if (dim.is_array()) {
        for (const Json& one : dim.items()) of_dim.push_back(static_cast<int>(one.as_int()));
      } else {
        of_dim.push_back(static_cast<int>(dim.as_int()));
      }
    }
    for (const Json& extent : items.items()[2].items())
      layout.slice_shape.push_back(extent.as_int());
    layout.field = static_cast<int>(items.items()[3].as_int());
  }
  return predict;
}

std::vector<fs::path> files_of(const std::string& config) {
  std::vector<fs::path> files;
  const fs::path root = data() / "src" / config;
  for (int rank = 0; fs::exists(root / fmt::format("rank_{}", rank)); ++rank)
    files.push_back(only_file_in(root / fmt::format("rank_{}", rank)));
  return files;
}

fs::path strategy_of(const std::string& config) {
  const fs::path merged = data() / "strategy" / (config + "_merged.ckpt");
  return fs::exists(merged) ? merged : data() / "strategy" / (config + ".ckpt");
}

/// The slices of `config` on `rank`, by independent arithmetic: as files, or by the layouts of it.
ParameterMap expected(const std::string& config, int rank) {
  if (fs::exists(data() / "src" / config)) return rank_of(data() / "src" / config, rank);
  const Strategy strategy = read_strategy(strategy_of(config));
  ParameterMap cut = rank_of(data() / "src/full", 0);
  for (auto& [name, value] : cut.entries) {
    Tensor& tensor = std::get<Tensor>(value);
    if (const ParameterLayout* layout = strategy.find(name, 0))
      tensor = tensor.slice(local_box(full_layout(*layout), tensor.shape(), rank)).clone();
  }
  return cut;
}

TEST(MindSporeLoadDistributed, EveryCaseIsRightOrRefused) {
  TESSERA_NEEDS_SHARED_DATA();
  int loaded = 0;
  const Json cases = cases_in("load_distributed_cases.json");
  for (const auto& [name, one] : cases.members()) {
    const std::string config = one.at("train_config").as_string();
    std::vector<fs::path> files = files_of(config);
    LoadDistributedOptions options;
    options.threads = 1;
    if (!one.at("rank_emulated").is_null())
      options.rank = static_cast<Rank>(one.at("rank_emulated").as_int());
    PredictStrategy predict;
    if (!one.at("predict_strategy").is_null()) predict = predict_in(one.at("predict_strategy"));
    const auto load = [&] {
      return load_distributed_checkpoint(files, strategy_of(config), predict, options);
    };
    if (name == "tp8 with 7 files") {
      files.pop_back();
      const std::string error = error_of([&] { load(); });
      EXPECT_NE(error.find("are lost"), error.npos) << error;
      EXPECT_NE(error.find("rank 7"), error.npos) << error;
      continue;
    }
    if (name.starts_with("tp8 files in reverse order")) {  // MindSpore: wrong values, no error
      std::reverse(files.begin(), files.end());
      const std::string error = error_of([&] { load(); });
      EXPECT_NE(error.find("order of the ranks"), error.npos) << error;
      continue;
    }
    if (name.starts_with("tp8 network")) continue;  // of the network, see the tests of its own
    std::string to = "full";
    if (const size_t arrow = name.find(" -> "); arrow != name.npos)
      to = name.substr(arrow + 4, name.find(' ', arrow + 4) - arrow - 4);
    EXPECT_EQ(difference(load(), expected(to, options.rank)), "") << name;
    ++loaded;
  }
  EXPECT_GT(loaded, 25);
}

TEST(MindSporeUnified, TheSameTensorsIndexAndFiles) {
  TESSERA_NEEDS_SHARED_DATA();
  const Json cases = cases_in("unified_cases.json");
  for (const auto& [name, one] : cases.members()) {
    const Scratch scratch;
    unified_safetensors(data() / "src" / name, strategy_of(name), scratch / "u",
                        {.max_process_num = 1, .sync = false});
    for (const Json& file : one.at("files").items())
      EXPECT_TRUE(fs::exists(scratch / "u" / file.as_string())) << name << " " << file.as_string();
    const Json index = parse_json(read_text(scratch / "u" / "param_name_map.json"));
    const Json& theirs = one.at("param_name_map");
    EXPECT_EQ(index.at("metadata").at("total_size").as_int(),
              theirs.at("metadata").at("total_size").as_int());
    for (const auto& [tensor, file] : theirs.at("weight_map").members())
      EXPECT_EQ(index.at("weight_map").at(tensor).as_string(), file.as_string()) << name;
    const fs::path made[] = {scratch / "u"}, recorded[] = {data() / "unified" / name};
    const ParameterMap full = expected("full", 0);
    EXPECT_EQ(difference(load_distributed_checkpoint(made), full), "") << name;
    EXPECT_EQ(difference(load_distributed_checkpoint(recorded), full), "") << name;
  }
}

TEST(MindSporeUnified, LoadsIntoAnyOtherArrangement) {
  TESSERA_NEEDS_SHARED_DATA();
  int compared = 0;
  for (const auto& entry : fs::directory_iterator(data() / "unified_load")) {
    const std::string name = entry.path().filename().string();
    const std::string from = name.substr(0, name.find("__to__"));
    const std::string to = name.substr(name.find("__to__") + 6);
    const Scratch scratch;
    transform_checkpoints(data() / "unified" / from, scratch / "out", "t",
                          {.dst_strategy_file = strategy_of(to),
                           .output_format = "safetensors",
                           .process_num = 1,
                           .sync = false});
    for (int rank = 0; rank < ranks_of(strategy_of(to)); ++rank) {
      EXPECT_EQ(difference(rank_of(scratch / "out", rank), rank_of(entry.path(), rank)), "")
          << name << " rank " << rank;
      ++compared;
    }
  }
  EXPECT_GT(compared, 15);
}

TEST(MindSporeMerge, SlicedParametersAndPipelines) {
  TESSERA_NEEDS_SHARED_DATA();
  const Json cases = cases_in("other_cases.json");
  const ParameterMap full = expected("full", 0);
  for (const auto& [key, verdict] : cases.at("merge_sliced_parameter").members()) {
    EXPECT_EQ(verdict.as_string(), "ok");
    const std::string config = key.substr(0, key.find(':')), name = key.substr(key.find(':') + 1);
    const auto strategy = build_searched_strategy(strategy_of(config));
    std::vector<SlicedParameter> slices;
    for (const fs::path& file : files_of(config))
      slices.push_back({name, *load_checkpoint(file).find(name)});
    const Tensor merged = merge_sliced_parameter(slices, &strategy).tensor;
    const Tensor& wanted = *full.find(name);
    EXPECT_EQ(describe(merged), describe(wanted)) << key;
    EXPECT_TRUE(std::ranges::equal(merged.bytes(), wanted.bytes())) << key;
  }
  for (const char* config : {"pp2tp4", "pp2dp2tp2", "pp4tp2"}) {
    for (const char* form : {"ckpt", "json"}) {
      const Scratch scratch;
      const fs::path stages = data() / "strategy" / fmt::format("{}_stages_{}", config, form);
      if (!fs::exists(stages)) continue;
      merge_pipeline_strategys(stages, scratch / fmt::format("merged.{}", form));
      Strategy ours = read_strategy(scratch / fmt::format("merged.{}", form));
      const Strategy theirs =
          read_strategy(data() / "strategy" / fmt::format("{}_merged.{}", config, form));
      EXPECT_EQ(ours.stage_count, theirs.stage_count);
      EXPECT_EQ(ours.parameters.size(), theirs.parameters.size());
      for (const ParameterLayout& one : theirs.parameters)
        EXPECT_EQ(*ours.find(one.name, one.stage), one) << config << " " << one.name;
    }
  }
}

TEST(MindSporeStrategies, WhatItRefusesAndWhatItCannotRead) {
  TESSERA_NEEDS_SHARED_DATA();
  const fs::path folder = data() / "strategy";
  for (const char* name : {"garbage.ckpt", "empty.ckpt", "nope.ckpt"}) {
    const std::string error = error_of([&] { build_searched_strategy(folder / name); });
    EXPECT_NE(error.find(name), error.npos) << error;
  }
  // Names with '-': MindSpore raises ValueError.
  for (const char* name : {"dash_name.ckpt", "dash_name2.ckpt"}) {
    const auto found = build_searched_strategy(folder / name);
    const auto has_dash = [](const auto& one) { return one.first.find('-') != std::string::npos; };
    EXPECT_TRUE(std::any_of(found.begin(), found.end(), has_dash)) << name;
  }
}

TEST(MindSporeRedundancy, TheSameGroupsAndShares) {
  TESSERA_NEEDS_SHARED_DATA();
  const Json cases = cases_in("other_cases.json");
  for (const auto& [config, one] : cases.at("redundancy").members()) {
    // Wrong for nested maps, see the next test; of merged strategies the ranks and names are those
    // inside the stages.
    if (config.starts_with("multi") || config.starts_with("pp")) continue;
    const ParameterRedundancy found = get_parameter_redundancy(strategy_of(config));
    const auto& theirs = one.at("redundancy").members();
    EXPECT_EQ(found.size(), theirs.size()) << config;
    for (const auto& [name, groups] : theirs) {
      std::vector<std::vector<Rank>> wanted;
      for (const Json& group : groups.items()) {
        wanted.emplace_back();
        for (const Json& rank : group.items())
          wanted.back().push_back(static_cast<Rank>(rank.as_int()));
      }
      EXPECT_EQ(found.at(name), wanted) << config << " " << name;
    }
    const auto kept = remove_param_redundancy(found);
    for (const auto& [rank, text] : one.at("remove_param_redundancy").members()) {
      const auto ours = kept.find(static_cast<Rank>(*parse_int(rank)));
      ASSERT_NE(ours, kept.end()) << config << " " << rank;
      for (const auto& [name, groups] : found)
        EXPECT_EQ(ours->second.contains(name),
                  text.as_string().find("'" + name + "'") != std::string::npos)
            << config << " rank " << rank << " " << name;
    }
  }
}

TEST(MindSporeRedundancy, RanksOfPipelineStagesAreThoseOfTheJob) {
  TESSERA_NEEDS_SHARED_DATA();
  const ParameterRedundancy found = get_parameter_redundancy(strategy_of("pp2tp4"));
  EXPECT_EQ(found.at("net.w1"), (std::vector<std::vector<Rank>>{{0}, {1}, {2}, {3}}));
  EXPECT_EQ(found.at("net.w2"), (std::vector<std::vector<Rank>>{{4}, {5}, {6}, {7}}));
}

TEST(MindSporeRedundancy, NestedMapsGroupRanksThatHoldEqualBytes) {
  TESSERA_NEEDS_SHARED_DATA();
  for (const char* config : {"multi222", "multi42"}) {
    const ParameterRedundancy found = get_parameter_redundancy(strategy_of(config));
    std::vector<ParameterMap> ranks;
    for (const fs::path& file : files_of(config)) ranks.push_back(load_checkpoint(file));
    for (const auto& [name, groups] : found) {
      std::set<Rank> seen;
      for (const std::vector<Rank>& group : groups) {
        seen.insert(group.begin(), group.end());
        const auto bytes_of = [&, n = name](Rank rank) {
          return ranks[static_cast<size_t>(rank)].find(n)->bytes();
        };
        for (Rank rank = 0; rank < static_cast<Rank>(ranks.size()); ++rank)
          EXPECT_EQ(std::ranges::equal(bytes_of(rank), bytes_of(group[0])),
                    std::ranges::find(group, rank) != group.end())
              << config << " " << name << " " << rank;
      }
      EXPECT_EQ(seen.size(), ranks.size());
    }
  }
}

}  // namespace
}  // namespace tessera
