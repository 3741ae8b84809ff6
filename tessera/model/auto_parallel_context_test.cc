#include "tessera/model/auto_parallel_context.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tessera/model/predict_layout.h"
#include "tests/support/error_of.h"

namespace tessera {
namespace {

using testing::error_of;
namespace fs = std::filesystem;

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

AutoParallelContext semi(int ranks) {
  return {.parallel_mode = ParallelMode::kSemiAutoParallel, .device_num = ranks};
}

TEST(AutoParallelContext, KeysAreSetFromTheirTexts) {
  AutoParallelContext context;
  context.set("parallel_mode", "semi_auto_parallel");
  context.set("device_num", "8");
  context.set("global_rank", "5");
  context.set("dataset_strategy", "full_batch");
  context.set("strategy_ckpt_config",
              R"({"load_file": "a.ckpt", "save_file": "b.json", "only_trainable_params": false})");
  context.set("pipeline_stages", "2");
  EXPECT_EQ(context.parallel_mode, ParallelMode::kSemiAutoParallel);
  EXPECT_EQ(context.device_num, 8);
  EXPECT_EQ(context.global_rank, 5);
  EXPECT_TRUE(context.full_batch);
  EXPECT_EQ(context.strategy_ckpt_load_file, "a.ckpt");
  EXPECT_EQ(context.strategy_ckpt_save_file, "b.json");
  EXPECT_FALSE(context.only_trainable_params);
  EXPECT_EQ(context.pipeline_stages, 2);
  context.set("dataset_strategy", "((1,1),(8,1))");
  EXPECT_FALSE(context.full_batch);
  EXPECT_EQ(context.dataset_strategy, (std::vector<std::vector<int>>{{1, 1}, {8, 1}}));
}

TEST(AutoParallelContext, EveryKeyOfMindSporeIsKnownAndItsDefaultAccepted) {
  const std::vector<std::pair<std::string, std::string>> defaults = {
      {"device_num", "1"},
      {"global_rank", "0"},
      {"gradients_mean", "False"},
      {"gradient_fp32_sync", "True"},
      {"loss_repeated_mean", "True"},
      {"parallel_mode", "stand_alone"},
      {"auto_parallel_search_mode", "dynamic_programming"},
      {"search_mode", "recursive_programming"},
      {"parameter_broadcast", "False"},
      {"strategy_ckpt_load_file", ""},
      {"strategy_ckpt_save_file", ""},
      {"strategy_ckpt_config", "{}"},
      {"full_batch", "False"},
      {"dataset_strategy", "data_parallel"},
      {"enable_parallel_optimizer", "False"},
      {"parallel_optimizer_config", "{}"},
      {"enable_alltoall", "False"},
      {"all_reduce_fusion_config", "[]"},
      {"comm_fusion", "{}"},
      {"pipeline_stages", "1"},
      {"pipeline_result_broadcast", "False"},
      {"pipeline_config", "{}"},
      {"auto_pipeline", "False"},
      {"force_fp32_communication", "False"},
      {"group_ckpt_save_file", ""},
      {"dump_local_norm", "False"},
      {"dump_local_norm_path", ""},
      {"dump_device_local_norm", "False"},
  };
  AutoParallelContext context;
  for (const auto& [key, text] : defaults) EXPECT_NO_THROW(context.set(key, text)) << key;
  EXPECT_NO_THROW(validate(context));
}

TEST(AutoParallelContext, WhatIsRefusedIsNamedWithTheReason) {
  const std::vector<std::vector<std::string>> cases = {
      {"parallel_mode", "hybrid_parallel", "hybrid_parallel is refused"},
      {"parallel_mode", "fast", "semi_auto_parallel"},
      {"device_num", "0", "1 to 4096"},
      {"device_num", "4097", "1 to 4096"},
      {"device_num", "eight", "'eight'"},
      {"global_rank", "-1", "0 to 4095"},
      {"full_batch", "maybe", "True or False"},
      {"grad_accumulation_step", "0", "1 to"},
      {"parallel_optimizer_config", "{'threshold': 1}", "parallel_optimizer_threshold"},
      {"parallel_optimizer_config", "{'optimizer_weight_shard_size': 0}", "1 to 4096"},
      {"comm_fusion", "{\"allreduce\": 1}", "comm_fusion"},
      {"group_ckpt_save_file", "g.pb", "get_parameter_redundancy"},
      {"dataset_strategy", "((1,0),)", "number of pieces"},
      {"strategy_ckpt_config", "{\"loadfile\": \"a\"}", "load_file"},
      {"devicenum", "8", "device_num"},
  };
  for (const auto& one : cases) {
    AutoParallelContext context;
    const std::string error = error_of([&] { context.set(one[0], one[1]); });
    EXPECT_NE(error.find(one[2]), std::string::npos) << one[0] << " " << one[1] << ": " << error;
    EXPECT_NE(error.find(one[0]), std::string::npos) << error;
  }
}

TEST(AutoParallelContext, ImpossibleValuesAreErrors) {
  const auto refused = [](AutoParallelContext context, const std::string& word) {
    const std::string error = error_of([&] { validate(context); });
    EXPECT_NE(error.find(word), std::string::npos) << word << ": " << error;
  };
  AutoParallelContext context = semi(8);
  EXPECT_EQ(error_of([&] { validate(context); }), "");
  context.global_rank = 8;
  refused(context, "global_rank is 8, but device_num is 8");
  context = semi(8);
  context.pipeline_stages = 3;
  refused(context, "does not divide");
  context.pipeline_stages = 2;
  refused(context, "stage_scopes");
  context = semi(8);
  context.memory_limit = 1 << 20;
  refused(context, "memory_limit is for auto_parallel");
  context.memory_limit = -1;
  refused(context, "memory_limit is -1");
  context = semi(8);
  context.enable_parallel_optimizer = true;
  refused(context, "enable_parallel_optimizer");
  context = semi(8);
  context.gradients_mean = true;
  refused(context, "gradients_mean is refused: it is of training");
  context = semi(8);
  context.grad_accumulation_step = 2;
  refused(context, "grad_accumulation_step");
  context = semi(8);
  context.full_batch = true;
  context.dataset_strategy = {{8, 1}};
  refused(context, "contradict");
  refused({.device_num = 8}, "stand_alone");
  refused({.parallel_mode = ParallelMode::kDataParallel, .full_batch = true}, "full_batch");
  refused({.parallel_mode = ParallelMode::kDataParallel, .strategy_ckpt_load_file = "a"},
          "strategy_ckpt_load_file");
}

TEST(AutoParallelContext, OptionsSayHowTheRanksRun) {
  run_world({.backend = "local", .ranks = 2}, [](Communicator& world) {
    AutoParallelContext context{.parallel_mode = ParallelMode::kDataParallel};
    EXPECT_EQ(to_string(*run_options(context, world).place.mesh), "{dp=2}");
    context.parallel_mode = ParallelMode::kSemiAutoParallel;
    const RunOptions options = run_options(context, world);
    EXPECT_EQ(options.world, &world);
    EXPECT_EQ(options.place.mode, PlaceMode::kMindSpore);
    EXPECT_EQ(options.place.input_pieces, (std::vector<std::vector<int>>{{2}}));
    context.full_batch = true;
    EXPECT_EQ(run_options(context, world).place.input_pieces, (std::vector<std::vector<int>>{{1}}));
    context.device_num = 8;
    EXPECT_NE(error_of([&] { run_options(context, world); }).find("2 ranks run"),
              std::string::npos);
    EXPECT_EQ(run_options({}, world).world, nullptr);
  });
}

TEST(AutoParallelContext, TheFirstPredictionSavesItsStrategyOnceByRank0) {
  const fs::path folder = fs::path(::testing::TempDir()) / "saved_strategies";
  fs::remove_all(folder);
  fs::create_directories(folder);
  const Tensor x(DType::kF32, {8, 1, 32, 32});
  std::fill_n(Tensor(x).mutable_data<float>().begin(), x.size(), 0.25F);
  for (const ParallelMode mode : {ParallelMode::kSemiAutoParallel, ParallelMode::kAutoParallel}) {
    AutoParallelContext context{.parallel_mode = mode, .device_num = 4};
    context.strategy_ckpt_save_file = folder / "wanted.ckpt";
    (void)infer_predict_layout(parse_model("lenet5"), 8, {1, 32, 32}, context);
    context.strategy_ckpt_save_file = folder / "saved.ckpt";
    run_world({.ranks = 4, .timeout_seconds = 60}, [&](Communicator& world) {
      Model model = Model::open({.model = "lenet5"}, run_options(context, world));
      world.barrier();
      EXPECT_FALSE(fs::exists(context.strategy_ckpt_save_file)) << "nothing has been compiled";
      world.barrier();
      (void)model.predict(x);
      world.barrier();
      if (world.rank() == 0) {
        EXPECT_EQ(content_of(folder / "saved.ckpt"), content_of(folder / "wanted.ckpt"));
        fs::remove(folder / "saved.ckpt");
      }
      (void)model.predict(x.slice({{0, 0, 0, 0}, {4, 1, 32, 32}}).contiguous());
      world.barrier();
      EXPECT_FALSE(fs::exists(context.strategy_ckpt_save_file)) << "written again";
    });
    EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1) << "what else is there?";
    // The file is a strategy like any other: the next job is sharded by it.
    context.strategy_ckpt_load_file = folder / "wanted.ckpt";
    run_world({.ranks = 4, .timeout_seconds = 60}, [&](Communicator& world) {
      Model model = Model::open({.model = "lenet5"}, run_options(context, world));
      EXPECT_EQ(model.predict(x).shape(), (Shape{8, 10}));
    });
    EXPECT_EQ(content_of(folder / "saved.ckpt"), content_of(folder / "wanted.ckpt"));
    fs::remove(folder / "saved.ckpt");
  }
}

TEST(SetContext, KeysHaveTheirMeaningOrAreRefused) {
  RunOptions options;
  set_context(options, "mode", "GRAPH_MODE");
  set_context(options, "device_target", "CPU");
  set_context(options, "deterministic", "ON");
  set_context(options, "runtime_num_threads", "3");
  EXPECT_TRUE(options.deterministic);
  EXPECT_EQ(options.threads, 3);
  EXPECT_THROW(set_context(options, "mode", "1"), Error);
  EXPECT_THROW(set_context(options, "device_target", "Ascend"), Error);
  EXPECT_THROW(set_context(options, "save_graphs", "True"), Error);
  EXPECT_THROW(set_context(options, "device_targt", "CPU"), Error);
  EXPECT_NO_THROW(set_context(options, "max_device_memory", "1024GB"));
  EXPECT_THROW(set_context(options, "max_device_memory", "30GB"), Error);
  options.search = SearchOptions{};
  set_context(options, "max_device_memory", "1.5GB");
  EXPECT_EQ(options.search->memory_limit, int64_t{3} << 29);
  for (const char* text : {"", "GB", "30", "-1GB", "1e9GB", "nanGB", "3 GB GB"})
    EXPECT_THROW(set_context(options, "max_device_memory", text), Error) << text;
  EXPECT_EQ(prefetch_batches(false), 0);
  EXPECT_GT(prefetch_batches(true), 0);
  EXPECT_EQ(prefetch_batches(true, 1), 1);
  EXPECT_THROW(prefetch_batches(true, 0), Error);
}

}  // namespace
}  // namespace tessera
