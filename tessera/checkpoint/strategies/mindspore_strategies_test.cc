// Strategy files that MindSpore 2.10 wrote or read, against what is known of them.
#include <gtest/gtest.h>

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/checkpoint/strategy.h"
#include "tessera/io/file.h"
#include "tessera/io/json.h"
#include "tessera/io/memory_file_system.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

std::filesystem::path strategies() {
  return testing::shared_data() / "mindspore" / "strategy" / "strategy";
}

Json json_file(const std::filesystem::path& path) {
  return parse_json(read_text(path));
}

std::vector<int64_t> numbers(const Json& json) {
  std::vector<int64_t> numbers;
  for (const Json& item : json.items()) numbers.push_back(item.as_int());
  return numbers;
}

int64_t number(const Json& config, std::string_view key) {
  const Json* found = config.find(key);
  return found != nullptr ? found->as_int() : 0;
}

/// A tensor map with every dim as a list without -1.
std::vector<std::vector<int>> lists(const Json& map) {
  std::vector<std::vector<int>> lists;
  for (const Json& dim : map.items()) {
    std::vector<int>& list = lists.emplace_back();
    const std::vector<int64_t> entries =
        dim.is_array() ? numbers(dim) : std::vector<int64_t>{dim.as_int()};
    for (const int64_t entry : entries)
      if (entry >= 0) list.push_back(static_cast<int>(entry));
  }
  return lists;
}

void expect_parameter(const ParameterLayout* found, const Json& config) {
  ASSERT_NE(found, nullptr);
  const TensorMap map = to_tensor_map(found->layout);
  const std::vector<int64_t> matrix = numbers(config.at("D"));
  EXPECT_EQ(map.device_matrix, std::vector<int>(matrix.begin(), matrix.end()));
  EXPECT_EQ(map.dims, lists(config.at("M")));
  EXPECT_EQ(found->optimizer_step, number(config, "step"));
  EXPECT_EQ(found->optimizer_size, number(config, "size"));
  EXPECT_EQ(found->field, number(config, "field"));
  const Json* rows = config.find("pss");
  EXPECT_EQ(found->split_rows, rows != nullptr ? numbers(*rows) : std::vector<int64_t>());
  const Json* offsets = config.find("off");
  EXPECT_EQ(found->row_offsets, offsets != nullptr ? numbers(*offsets) : std::vector<int64_t>());
}

void expect_config(const Strategy& strategy, const Json& config, const Json* shapes) {
  EXPECT_EQ(strategy.parameters.size(), config.members().size());
  for (const auto& [name, expected] : config.members()) {
    SCOPED_TRACE(name);
    const ParameterLayout* found = strategy.find(name, static_cast<int>(number(expected, "stage")));
    expect_parameter(found, expected);
    ASSERT_EQ(found->shape.has_value(), shapes != nullptr);
    if (shapes == nullptr) continue;
    EXPECT_EQ(*found->shape, Shape(numbers(shapes->at(name))));
  }
}

TEST(MindSporeStrategies, EveryConfigurationReadsAsItsDescriptionSays) {
  TESSERA_NEEDS_SHARED_DATA();
  const Json all = json_file(strategies().parent_path() / "layouts.json");
  for (const auto& [name, config] : all.at("configs").members()) {
    SCOPED_TRACE(name);
    const bool staged = name.starts_with("pp");
    const std::string file = staged ? name + "_merged" : name;
    const Strategy proto = read_strategy(strategies() / (file + ".ckpt"));
    expect_config(proto, config, nullptr);
    const Strategy json = read_strategy(strategies() / (file + ".json"));
    expect_config(json, config, &all.at("shapes"));
    EXPECT_EQ(proto.stage_count, staged ? name[2] - '0' : 1);
    EXPECT_EQ(proto.current_stage, 1);
    EXPECT_EQ(proto.operators.size(), config.members().size());
    for (const OperatorStrategy& op : proto.operators)
      EXPECT_EQ(std::count(json.operators.begin(), json.operators.end(), op), 1);
    EXPECT_NO_THROW(validate(proto));
    EXPECT_NO_THROW(validate(json));
  }
}

/// A recorded file of MindSpore's own compiler, as protobuf messages or as JSON.
void expect_recorded(const Strategy& strategy, const Json& decoded) {
  EXPECT_EQ(strategy.current_stage, decoded.at("current_stage").as_int());
  const Json& layouts = decoded.at("parallel_layout_item");
  if (!layouts.is_array()) return;  // the JSON one has a test of its own
  ASSERT_EQ(strategy.parameters.size(), layouts.items().size());
  for (const Json& item : layouts.items()) {
    const Json& layout = item.at("parallel_layouts");
    const ParameterLayout* found = strategy.find(item.at("param_name").as_string(), 0);
    ASSERT_NE(found, nullptr) << item.at("param_name").as_string();
    Json::Array map;
    const Json::Array& maps = layout.at("tensor_map").items();
    for (const Json& one : maps) {
      const Json* dims = one.find("dim");
      if (dims != nullptr && maps.size() > 1) map.push_back(*dims);
      if (dims != nullptr && maps.size() == 1) map = dims->items();
    }
    const Json::Object config{{"D", layout.at("dev_matrix").items()[0].at("dim")},
                              {"M", Json(map)},
                              {"step", layout.at("opt_weight_shard_step")},
                              {"size", layout.at("opt_weight_shard_size")},
                              {"field", layout.at("field")}};
    expect_parameter(found, Json(config));
  }
}

TEST(MindSporeStrategies, WhatItsCompilerWroteReadsAsRecorded) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::filesystem::path folder = testing::shared_data() / "mindspore" / "frontend";
  int files = 0;
  const Json all = json_file(folder / "frontend.json");
  for (const auto& [name, one] : all.members()) {
    const Json* file = one.find("strategy_file");
    if (file == nullptr) continue;
    SCOPED_TRACE(name);
    const Strategy strategy = read_strategy(folder / file->as_string());
    EXPECT_EQ(strategy.rank_count(), one.at("device_num").as_int());
    expect_recorded(strategy, one.at("strategy_file_decoded"));
    EXPECT_NO_THROW(validate(strategy));
    ++files;
  }
  EXPECT_EQ(files, 32);
}

TEST(MindSporeStrategies, TheJsonOfItsCompilerReadsWithTheShape) {
  TESSERA_NEEDS_SHARED_DATA();
  const Strategy strategy =
      read_strategy(testing::shared_data() / "mindspore/frontend/json_sample_rank0.json");
  EXPECT_EQ(to_string(strategy),
            "saves 2\nmesh {d0=2,d1=4}\n\nmatmul_weight  [-, d1]  shape=96,16\n\n"
            "# The pieces per dim of each operand.\noperator MatMul_matmul_weight [2,1] [1,4]\n");
}

TEST(MindSporeStrategies, StagesMergeToWhatMindSporeMerged) {
  TESSERA_NEEDS_SHARED_DATA();
  for (const std::string name : {"pp2tp4", "pp2dp2tp2", "pp4tp2"}) {
    for (const std::string form : {"ckpt", "json"}) {
      SCOPED_TRACE(name + " " + form);
      std::vector<Strategy> stages;
      const std::filesystem::path folder = strategies() / (name + "_stages_" + form);
      for (const std::string& file : local_file_system().list(folder))
        stages.insert(stages.begin(), read_strategy(folder / file));
      const Strategy theirs = read_strategy(strategies() / (name + "_merged." + form));
      Strategy ours = merge_stages(stages);
      EXPECT_EQ(ours.stage_count, theirs.stage_count);
      EXPECT_EQ(ours.parameters.size(), theirs.parameters.size());
      for (const ParameterLayout& one : theirs.parameters) {
        ASSERT_NE(ours.find(one.name, one.stage), nullptr);
        EXPECT_EQ(*ours.find(one.name, one.stage), one);
      }
      EXPECT_NO_THROW(validate(ours));
      stages.push_back(stages[0]);
      EXPECT_EQ(merge_stages(stages), ours) << "an equal one counts once";
      stages.clear();
      stages.push_back(read_strategy(folder / ("stage1." + form)));
      EXPECT_THROW(merge_stages(stages), Error);
      EXPECT_THROW(validate(stages[0]), Error);
    }
  }
}

TEST(MindSporeStrategies, NamesWithDashesThatMindSporeCannotReadAreRead) {
  TESSERA_NEEDS_SHARED_DATA();
  EXPECT_TRUE(read_strategy(strategies() / "dash_name.ckpt").names("layer-norm-x.w"));
  EXPECT_TRUE(read_strategy(strategies() / "dash_name2.ckpt").names("layer-norm.w"));
}

TEST(MindSporeStrategies, RealFilesOfOthersRead) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::filesystem::path folder = testing::shared_data() / "ckpt" / "strategy";
  const Strategy llama =
      read_strategy(folder / "golden-stick_llama2-13b-2p_ckpt_strategy_rank_0.ckpt");
  EXPECT_EQ(llama.rank_count(), 2);
  EXPECT_EQ(llama.parameters.size(), 363);
  EXPECT_EQ(to_string(llama.find("lm_head.weight", 0)->layout), "{d0=2} [-, -]");
  const Strategy pipeline = read_strategy(folder / "mindformers_strategy_4_npus.ckpt");
  EXPECT_EQ(pipeline.stage_count, 2);
  EXPECT_EQ(pipeline.rank_count(), 4);
  EXPECT_NO_THROW(validate(pipeline));
  const std::string shared = "backbone.embedding.word_embedding.embedding_table";
  EXPECT_NE(pipeline.find(shared, 0), nullptr);
  EXPECT_NE(pipeline.find(shared, 1), nullptr);
  EXPECT_EQ(pipeline.find("backbone.blocks.1.layernorm1.gamma", 0), nullptr);
}

TEST(MindSporeStrategies, EachReadsBackEqualThroughEachFormThatCanHoldIt) {
  TESSERA_NEEDS_SHARED_DATA();
  MemoryFileSystem files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(strategies())) {
    const std::string stem = entry.path().stem().string();
    if (!entry.is_regular_file() || stem == "garbage" || stem == "empty") continue;
    SCOPED_TRACE(entry.path().string());
    Strategy strategy = read_strategy(entry.path());
    for (const std::string form : {".ckpt", ".json", ".txt"}) {
      const bool nested = stem == "multi222" || stem == "multi42";
      const bool uneven = stem == "tp5" && strategy.parameters[0].shape.has_value();
      const bool fits =
          form == ".txt" || (stem != "ones" && !uneven && !(nested && form == ".json"));
      if (!fits) {
        EXPECT_THROW(write_strategy(strategy, "s" + form, files), Error);
        continue;
      }
      write_strategy(strategy, "s" + form, files);
      Strategy back = read_strategy("s" + form, files);
      back.format = strategy.format;
      for (size_t i = 0; form == ".ckpt" && i < back.parameters.size(); ++i)
        back.parameters[i].shape = strategy.parameters[i].shape;
      EXPECT_EQ(back, strategy) << form;
    }
  }
}

TEST(MindSporeStrategies, FlatFilesAreWrittenByteForByteAsMindSporeWritesThem) {
  TESSERA_NEEDS_SHARED_DATA();
  MemoryFileSystem files;
  for (const auto& entry :
       std::filesystem::directory_iterator(testing::shared_data() / "mindspore" / "frontend")) {
    if (!entry.path().string().ends_with(".ckpt")) continue;
    write_strategy(read_strategy(entry.path()), "s.ckpt", files);
    EXPECT_EQ(files.content("s.ckpt"), read_text(entry.path())) << entry.path();
  }
}

}  // namespace
}  // namespace tessera
