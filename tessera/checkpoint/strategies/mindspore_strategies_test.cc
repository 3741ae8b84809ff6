// Strategy files that MindSpore 2.10 wrote or read, against what is known of them.
#include <gtest/gtest.h>

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/checkpoint/strategy.h"
#include "tessera/io/file.h"
#include "tessera/io/json.h"
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

}  // namespace
}  // namespace tessera
