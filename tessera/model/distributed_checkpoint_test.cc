#include "tessera/model/distributed_checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tessera/base/error.h"
#include "tessera/checkpoint/writer.h"
#include "tests/support/error_of.h"

namespace tessera {
namespace {

using testing::error_of;
namespace fs = std::filesystem;

class DistributedCheckpoint : public ::testing::Test {
 protected:
  DistributedCheckpoint() {
    std::string name = (fs::temp_directory_path() / "tessera_loads_XXXXXX").string();
    root_ = mkdtemp(name.data());
  }
  ~DistributedCheckpoint() override { fs::remove_all(root_); }

  /// The network's weights over two ranks: dims 0 that are even by rows, the rest on both.
  void cut(const ParameterMap& parameters) {
    Strategy strategy;
    strategy.ranks_per_stage = 2;
    for (const auto& [name, value] : parameters.entries) {
      const Shape& shape = std::get<Tensor>(value).shape();
      TensorMap map{{2}, std::vector<std::vector<int>>(shape.size())};
      if (!shape.empty() && shape[0] % 2 == 0) map.dims[0] = {0};
      strategy.parameters.push_back({.name = name, .layout = from_tensor_map(map)});
    }
    index_parameters(strategy);
    write_strategy(strategy, root_ / "train.ckpt");
    for (Rank rank = 0; rank < 2; ++rank) {
      fs::create_directories(root_ / fmt::format("rank_{}", rank));
      files_.push_back(root_ / fmt::format("rank_{}/net{}.ckpt", rank, rank));
      CheckpointWriter writer(files_.back());
      for (const auto& [name, value] : parameters.entries) {
        const Tensor& tensor = std::get<Tensor>(value);
        const Box box = slices_of(*strategy.find(name, 0), tensor.shape(), rank)[0];
        writer.add(name, tensor.slice(box).clone());
      }
      writer.add("global_step", int64_t{7});
      writer.finish();
    }
  }

  static ParameterMap distinct_weights(const Model& net) {
    ParameterMap parameters;
    float next = 0;
    for (const NetworkParameter& parameter : net.parameters()) {
      Tensor tensor(parameter.dtype, parameter.shape);
      for (float& value : tensor.mutable_data<float>()) value = next++;
      parameters.entries.emplace_back(parameter.name, std::move(tensor));
    }
    return parameters;
  }

  static bool has(const Model& net, const std::string& name, const Tensor& wanted) {
    return std::ranges::equal(net.weight(name).bytes(), wanted.bytes());
  }

  fs::path root_;
  std::vector<fs::path> files_;
};

TEST_F(DistributedCheckpoint, FillsANetworkFromTheFilesOfTwoRanks) {
  Model net = Model::open({.model = "lenet5", .weights = {}});
  const ParameterMap weights = distinct_weights(net);
  cut(weights);
  const NotLoaded rest = load_distributed_checkpoint(net, files_, root_ / "train.ckpt");
  EXPECT_TRUE(rest.param_not_load.empty());
  EXPECT_EQ(rest.ckpt_not_load, std::vector<std::string>{"global_step"});
  for (const auto& [name, value] : weights.entries)
    EXPECT_TRUE(has(net, name, std::get<Tensor>(value))) << name;
}

TEST_F(DistributedCheckpoint, AMissingParameterIsAnErrorUnlessAllowed) {
  Model net = Model::open({.model = "lenet5", .weights = {}});
  ParameterMap weights = distinct_weights(net);
  const std::string last = weights.entries.back().first, first = weights.entries[0].first;
  weights.entries.pop_back();
  cut(weights);
  for (const bool strict : {false, true}) {
    LoadDistributedOptions options;
    options.strict_load = strict;
    const std::string error = error_of(
        [&] { load_distributed_checkpoint(net, files_, root_ / "train.ckpt", {}, options); });
    EXPECT_NE(error.find("'" + last + "'"), error.npos) << error;
    EXPECT_FALSE(has(net, first, std::get<Tensor>(weights.entries[0].second))) << "changed the net";
  }
  LoadDistributedOptions options;
  options.allow = {last};
  const NotLoaded rest =
      load_distributed_checkpoint(net, files_, root_ / "train.ckpt", {}, options);
  EXPECT_EQ(rest.param_not_load, std::vector<std::string>{last});
  EXPECT_TRUE(has(net, first, std::get<Tensor>(weights.entries[0].second)));
}

TEST_F(DistributedCheckpoint, AWrongShapeLeavesTheNetworkAsItWas) {
  Model net = Model::open({.model = "lenet5", .weights = {}});
  ParameterMap weights = distinct_weights(net);
  Tensor& last = std::get<Tensor>(weights.entries.back().second);
  last = Tensor(DType::kF32, {4, 4, 4});
  cut(weights);
  const std::string error =
      error_of([&] { load_distributed_checkpoint(net, files_, root_ / "train.ckpt"); });
  EXPECT_NE(error.find(weights.entries.back().first), error.npos) << error;
  EXPECT_FALSE(has(net, weights.entries[0].first, std::get<Tensor>(weights.entries[0].second)));
}

Tensor iota(const Shape& shape) {
  Tensor tensor(DType::kF32, shape);
  const auto values = tensor.mutable_data<float>();
  std::iota(values.begin(), values.end(), 0.0F);
  return tensor;
}

ParameterMap one_tensor() {
  ParameterMap parameters;
  parameters.entries.emplace_back("w", iota({6, 4}));
  parameters.entries.emplace_back("v", iota({2, 4}));
  return parameters;
}

TEST_F(DistributedCheckpoint, NestedPredictLayoutsAreCut) {
  cut(one_tensor());
  // Dim 1 over both axes, the fast one outer: rank 1 = (0, 1) holds column 2.
  const PredictStrategy predict{{"w", {{2, 2}, {{}, {0, 1}}, {6, 1}}},
                                {"v", {{2, 2}, {{1}, {-1}}}}};
  LoadDistributedOptions options;
  options.rank = 1;
  const ParameterMap found =
      load_distributed_checkpoint(files_, root_ / "train.ckpt", predict, options);
  EXPECT_EQ(found.find("w")->shape(), (Shape{6, 1}));
  EXPECT_EQ(found.find("w")->data<float>()[1], 6.0F);
  EXPECT_EQ(found.find("v")->shape(), (Shape{1, 4}));
  EXPECT_EQ(found.find("global_step")->data<int64_t>()[0], 7);
}

TEST_F(DistributedCheckpoint, ChecksThePredictLayout) {
  cut(one_tensor());
  const auto error = [&](const PredictStrategy& predict, const LoadDistributedOptions& options) {
    return error_of(
        [&] { load_distributed_checkpoint(files_, root_ / "train.ckpt", predict, options); });
  };
  const PredictLayout rows{{2}, {{0}, {-1}}};
  EXPECT_NE(error({{"w", rows}}, {}).find("'v'"), std::string::npos);
  EXPECT_EQ(error({{"w", rows}}, {.allow = {"v"}}), "");
  EXPECT_NE(error({{"w", rows}, {"v", rows}, {"x", rows}}, {}).find("'x'"), std::string::npos);
  EXPECT_NE(error({{"w", rows}, {"v", rows}}, {.rank = 2}).find("rank 2"), std::string::npos);
  PredictLayout field = rows, slice = rows, dims = rows;
  field.field = 3;
  EXPECT_NE(error({{"w", field}, {"v", rows}}, {}).find("field"), std::string::npos);
  slice.slice_shape = {2, 4};
  EXPECT_NE(error({{"w", slice}, {"v", rows}}, {}).find("[3,4]"), std::string::npos);
  dims.tensor_map = {{0}};
  EXPECT_NE(error({{"w", dims}, {"v", rows}}, {}).find("'w'"), std::string::npos);
}

TEST(MergeSlicedParameter, JoinsRowsWithoutAStrategy) {
  const std::vector<SlicedParameter> slices{{"w", iota({2, 3})}, {"w", iota({1, 3})}};
  const Tensor merged = merge_sliced_parameter(slices).tensor;
  EXPECT_EQ(merged.shape(), (Shape{3, 3}));
  EXPECT_EQ(merged.data<float>()[5], 5.0F);
  EXPECT_EQ(merged.data<float>()[6], 0.0F);
}

TEST(MergeSlicedParameter, InterleavesFields) {
  // Two fields of four rows over two ranks: each rank has two rows of either.
  ParameterLayout layout{.name = "e", .layout = parse_layout("{d=2} [d, -]")};
  layout.field = 2;
  const std::map<std::string, ParameterLayout> strategy{{"e", layout}};
  Tensor first = iota({4, 1}), second = iota({4, 1});
  for (float& value : second.mutable_data<float>()) value += 10;
  const std::vector<SlicedParameter> slices{{"e", first}, {"e", second}};
  const Tensor merged = merge_sliced_parameter(slices, &strategy).tensor;
  const std::vector<float> wanted{0, 1, 10, 11, 2, 3, 12, 13};
  EXPECT_TRUE(std::ranges::equal(merged.data<float>(), wanted));
}

TEST(MergeSlicedParameter, ChecksWhatMindSporeChecks) {
  const auto error = [](const std::vector<SlicedParameter>& slices,
                        const std::map<std::string, ParameterLayout>* strategy) {
    try {
      merge_sliced_parameter(slices, strategy);
      return std::string();
    } catch (const Error& found) {
      return std::string(found.what());
    }
  };
  const std::map<std::string, ParameterLayout> rows{
      {"w", {.name = "w", .layout = parse_layout("{d=2} [d, -]")}}};
  const std::map<std::string, ParameterLayout> both{
      {"w", {.name = "w", .layout = parse_layout("{d=2} [-, -]")}}};
  const SlicedParameter w{"w", iota({2, 3})}, x{"x", iota({2, 3})}, wide{"w", iota({2, 4})};
  const SlicedParameter flat{"w", iota({6})}, other{"w", iota({3, 3}).slice({{1, 0}, {2, 3}})};
  EXPECT_NE(error({}, nullptr), "");
  EXPECT_NE(error({w, x}, nullptr).find("'x'"), std::string::npos);
  EXPECT_NE(error({w, wide}, nullptr).find("[2,4]"), std::string::npos);
  EXPECT_NE(error({w, flat}, nullptr).find("[6]"), std::string::npos);
  EXPECT_NE(error({x, x}, &rows).find("'x'"), std::string::npos);
  EXPECT_NE(error({w, w, w}, &rows).find("3 slices"), std::string::npos);
  EXPECT_NE(error({w, wide}, &rows), "");
  EXPECT_EQ(error({w, other}, &rows), "");
  EXPECT_EQ(error({w, w}, &both), "");
  EXPECT_NE(error({w, other}, &both).find("differs"), std::string::npos);
}

TEST(RankList, IsExact) {
  Strategy four, two;
  four.ranks_per_stage = 4;
  four.parameters.push_back({.name = "w", .layout = parse_layout("{d=4} [d, -]")});
  two.ranks_per_stage = 2;
  two.parameters.push_back({.name = "w", .layout = parse_layout("{d=2} [d, -]")});
  std::string name = (fs::temp_directory_path() / "tessera_ranks_XXXXXX").string();
  const fs::path root = mkdtemp(name.data());
  write_strategy(four, root / "four.ckpt");
  write_strategy(two, root / "two.json.ckpt");
  EXPECT_EQ(rank_list_for_transform(0, root / "four.ckpt", root / "two.json.ckpt"),
            (std::vector<Rank>{1, 0}));
  EXPECT_EQ(rank_list_for_transform(1, root / "four.ckpt", root / "two.json.ckpt"),
            (std::vector<Rank>{3, 2}));
  EXPECT_EQ(rank_list_for_transform(3, root / "two.json.ckpt", root / "four.ckpt"),
            (std::vector<Rank>{1}));
  EXPECT_EQ(rank_list_for_transform(0, root / "four.ckpt"), (std::vector<Rank>{3, 2, 1, 0}));
  EXPECT_EQ(rank_list_for_transform(3, {}, root / "four.ckpt"), (std::vector<Rank>{0}));
  EXPECT_THROW(rank_list_for_transform(2, root / "four.ckpt", root / "two.json.ckpt"), Error);
  fs::remove_all(root);
}

TEST(Redundancy, KeepsAsManyAsAsked) {
  const ParameterRedundancy groups{{"a", {{0, 1, 2}}}, {"b", {{0, 1, 2}}}, {"c", {{0, 1, 2}}}};
  const auto one = remove_param_redundancy(groups);
  EXPECT_EQ(one.at(1), std::set<std::string>{"b"});
  const auto two = remove_param_redundancy(groups, 2);
  EXPECT_EQ(two.at(1), (std::set<std::string>{"a", "b"}));
  EXPECT_EQ(remove_param_redundancy(groups, 9).at(2).size(), 3U);
  EXPECT_THROW(remove_param_redundancy(groups, 0), Error);
}

}  // namespace
}  // namespace tessera
