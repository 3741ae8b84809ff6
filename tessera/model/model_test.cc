#include "tessera/model/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "tessera/layout/layout.h"
#include "tessera/model/parameters.h"
#include "tessera/model/spread.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

const std::filesystem::path kDigits = testing::source_dir() / "examples/digits/lenet5_digits.ckpt";

Tensor some_rows(int64_t rows) {
  Tensor x(DType::kF32, {rows, 1, 32, 32});
  uint32_t state = 1;
  for (float& value : x.mutable_data<float>()) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<float>(state >> 8U) * 0x1p-23F - 1.0F;
  }
  return x;
}

void expect_near(const Tensor& a, const Tensor& b, float tolerance) {
  ASSERT_EQ(a.shape(), b.shape());
  for (size_t i = 0; i < a.data<float>().size(); ++i)
    ASSERT_NEAR(a.data<float>()[i], b.data<float>()[i], tolerance) << i;
}

TEST(Model, GivesARowTheSameOutputsInAnyBatchAndByAnyKernels) {
  Model best = Model::open({.model = "lenet5", .weights = {kDigits}});
  Model plain = Model::open({.model = "lenet5", .weights = {kDigits}}, {.reference_only = true});
  const Tensor x = some_rows(5);
  const Tensor wanted = plain.predict(x);
  expect_near(best.predict(x), wanted, 1e-4F);
  for (int64_t i = 0; i < 5; ++i) {
    const Tensor row = x.slice({{i, 0, 0, 0}, {1, 1, 32, 32}});
    expect_near(best.predict(row), wanted.slice({{i, 0}, {1, 10}}).contiguous(), 1e-4F);
  }
}

TEST(Model, ManyThreadsMayAskItAtOnce) {
  Model alone = Model::open({.model = "lenet5", .weights = {kDigits}}, {.threads = 1});
  Model model =
      Model::open({.model = "lenet5", .weights = {kDigits}}, {.threads = 2, .streams = 2});
  std::vector<Tensor> inputs;
  std::vector<Tensor> wanted;
  for (int64_t i = 0; i < 4; ++i) {
    inputs.push_back(some_rows(1 + i % 2));  // two programs, compiled while others run
    wanted.push_back(alone.predict(inputs.back()));
  }
  std::vector<std::vector<Tensor>> found(inputs.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < inputs.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int run = 0; run < 5; ++run) found[i].push_back(model.predict(inputs[i]));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < inputs.size(); ++i)
    for (const Tensor& outputs : found[i])
      EXPECT_TRUE(std::ranges::equal(outputs.bytes(), wanted[i].bytes())) << "thread " << i;
}

TEST(Model, RefusesRowsOfAnotherShape) {
  Model model = Model::open({.model = "lenet5", .weights = {kDigits}});
  EXPECT_THROW(model.predict(Tensor(DType::kF32, {1, 1, 28, 28})), Error);
  EXPECT_THROW(model.predict(Tensor(DType::kU8, {1, 1, 32, 32})), Error);
  EXPECT_THROW(model.predict(Tensor::scalar(1.0F)), Error);
}

TEST(Model, ListsWhatItDidNotLoadOnlyWhereThatIsAllowed) {
  ModelSource source{.model = "lenet5(num_classes=7)", .weights = {kDigits}};
  EXPECT_THROW(Model::open(source), Error);
  source.model = "mlp(hidden=[84])";
  source.match.allow = {"dense_relu_sequential.*"};
  const Model model = Model::open(source);
  EXPECT_EQ(model.loaded().not_loaded.size(), 4U);
  EXPECT_EQ(model.loaded().not_used.size(), 8U);
}

TEST(Model, NewParametersAreTheSameForAnyRanksAndThreads) {
  const Model alone = Model::open({.model = "lenet5", .weights = {}, .seed = 5}, {.threads = 1});
  run_world({.backend = "local", .ranks = 4}, [&](Communicator& world) {
    RunOptions options{.threads = 2, .world = &world};
    options.place.mesh = parse_mesh("{dp=2,tp=2}");
    options.place.layout_of = [&](const ValueInfo& value) -> std::optional<Layout> {
      if (value.name != "fc1.weight") return std::nullopt;
      return parse_layout("[tp,dp]", options.place.mesh);
    };
    const Model part = Model::open({.model = "lenet5", .weights = {}, .seed = 5}, options);
    for (const NetworkParameter& parameter : alone.parameters()) {
      const Layout& layout = *part.spread()->layout(parameter.name);
      const Box box = local_box(layout, parameter.shape, world.rank());
      const Tensor wanted = alone.weight(parameter.name).slice(box).contiguous();
      EXPECT_TRUE(std::ranges::equal(part.weight(parameter.name).bytes(), wanted.bytes()))
          << parameter.name << " " << to_string(box);
    }
  });
  const Model other = Model::open({.model = "lenet5", .weights = {}, .seed = 6});
  EXPECT_NE(other.weight("fc1.weight").data<float>()[0],
            alone.weight("fc1.weight").data<float>()[0]);
}

TEST(Parameters, GoFromFileToNetToFileUnchanged) {
  const std::filesystem::path copy =
      std::filesystem::temp_directory_path() / "tessera_parameters_test.ckpt";
  const ParameterMap parameters = load_checkpoint(kDigits);
  Model net = Model::open({.model = "lenet5", .weights = {}});
  const NotLoaded rest = load_param_into_net(net, parameters, true);
  EXPECT_TRUE(rest.param_not_load.empty());
  EXPECT_TRUE(rest.ckpt_not_load.empty());
  Model wanted = Model::open({.model = "lenet5", .weights = {kDigits}});
  expect_near(net.predict(some_rows(2)), wanted.predict(some_rows(2)), 0);

  save_checkpoint(net, copy, {.append_dict = {{"epoch_num", int64_t{3}}, {"note", "ours"}}});
  const ParameterMap again = load_checkpoint(copy);
  std::filesystem::remove(copy);
  EXPECT_EQ(again.entries.size(), parameters.entries.size() + 2);
  EXPECT_EQ(again.find("epoch_num")->data<int64_t>()[0], 3);
  EXPECT_EQ(std::get<std::string>(again.entries.back().second), "ours");
}

TEST(Parameters, MissingOnesAreReturnedAsInMindSpore) {
  ParameterMap parameters = load_checkpoint(kDigits, {.filter = {.filter_prefix = {"fc3"}}});
  for (auto& [name, value] : parameters.entries) name.insert(0, "network.");
  Model net = Model::open({.model = "lenet5", .weights = {}});
  const NotLoaded rest = load_param_into_net(net, parameters);
  EXPECT_EQ(rest.param_not_load, (std::vector<std::string>{"fc3.weight", "fc3.bias"}));
  EXPECT_EQ(rest.ckpt_not_load.size(), parameters.entries.size()) << "prefix matches stay listed";
  const NotLoaded strict = load_param_into_net(net, parameters, true);
  EXPECT_EQ(strict.param_not_load.size(), 8U);
}

}  // namespace
}  // namespace tessera
