// MindSpore's tutorial on distributed inference as one program:
//
//   distributed_inference train DIR           writes what a training on 8 ranks leaves behind
//   distributed_inference infer DIR RANKS     predicts on RANKS ranks from those files
//
// The network is a product of [128,96] and a weight of [96,16], then its negative. It was trained
// with the product sharded by ((2,1),(1,4)): each rank saved a quarter of the weight's columns.
// Under mpirun the ranks are its processes, else threads.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <exception>
#include <string>

#include "tessera/model/auto_parallel_context.h"
#include "tessera/model/distributed_checkpoint.h"
#include "tessera/model/predict_layout.h"
#include "tessera/ops/ops.h"
#include "tessera/passes/shard.h"

namespace {

using namespace tessera;  // NOLINT: an example
namespace fs = std::filesystem;

constexpr int64_t kRows = 128;
constexpr int64_t kFeatures = 96;
constexpr int64_t kClasses = 16;
constexpr int kTrainRanks = 8;

/// How the product is sharded; empty: as the strategy file of the context says.
Pieces strategy;  // NOLINT: the network is a plain function, as a model of the zoo is

Value build(const Scope& scope, Value x, const Attrs& /*options*/) {
  const Value weight = scope.parameter("matmul_weight", {kFeatures, kClasses});
  const Value product = scope.emit("matmul", {x, weight});
  if (!strategy.empty()) shard(product, strategy);
  return scope.emit("neg", {product});
}

const ModelDef& network() {
  static const ModelDef kNetwork = {.name = "tutorial",
                                    .doc = "A product, then its negative.",
                                    .options = {},
                                    .row_shape = [](const Attrs&) { return Shape{kFeatures}; },
                                    .transforms = {},
                                    .build = build};
  return kNetwork;
}

/// Numbers that look random and all differ: a slice in the wrong place shows.
Tensor numbers(const Shape& shape, double seed) {
  Tensor tensor(DType::kF32, shape);
  double at = seed;
  for (float& value : tensor.mutable_data<float>()) {
    value = static_cast<float>(std::sin(at) * 2 + std::cos(3.7 * at));
    at += 1;
  }
  return tensor;
}

std::vector<fs::path> checkpoint_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (int rank = 0; rank < kTrainRanks; ++rank)
    files.push_back(folder / fmt::format("device{}", rank) / fmt::format("rank_{}_ckpt", rank) /
                    "parallel-2_2.ckpt");
  return files;
}

/// What the training script leaves: a checkpoint per rank, and how it cut the parameter.
void train(const fs::path& folder) {
  AutoParallelContext context{.parallel_mode = ParallelMode::kSemiAutoParallel,
                              .device_num = kTrainRanks,
                              .full_batch = true};
  context.strategy_ckpt_save_file = folder / "train_strategy.ckpt";
  fs::create_directories(folder);
  strategy = {{2, 1}, {1, 4}};
  const ModelSpec spec{&network(), {}};
  (void)infer_predict_layout(spec, kRows, {kFeatures}, context);  // writes the strategy file
  const Tensor weight = numbers({kFeatures, kClasses}, 1);
  const std::vector<fs::path> files = checkpoint_files(folder);
  for (int rank = 0; rank < kTrainRanks; ++rank) {
    const int64_t quarter = kClasses / 4;
    const Tensor slice = weight.slice({{0, rank % 4 * quarter}, {kFeatures, quarter}}).contiguous();
    fs::create_directories(files[static_cast<size_t>(rank)].parent_path());
    save_checkpoint({.entries = {{"matmul_weight", slice}}}, files[static_cast<size_t>(rank)]);
  }
  fmt::print("wrote 8 checkpoints and train_strategy.ckpt to {}\n", folder.string());
}

/// The largest difference of the outputs from -(x · weight), relative to the largest output.
double difference(const Tensor& outputs, const Tensor& x, const Tensor& weight) {
  double largest = 0;
  double worst = 0;
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t c = 0; c < kClasses; ++c) {
      double sum = 0;
      for (size_t k = 0; k < kFeatures; ++k)
        sum -= static_cast<double>(x.data<float>()[r * kFeatures + k]) *
               static_cast<double>(weight.data<float>()[k * kClasses + c]);
      largest = std::max(largest, std::abs(sum));
      worst = std::max(
          worst, std::abs(sum - static_cast<double>(outputs.data<float>()[r * kClasses + c])));
    }
  }
  return worst / largest;
}

/// The tutorial's steps, on one rank.
void infer_on(Communicator& world, const fs::path& folder) {
  const int ranks = world.size();
  // context.set_auto_parallel_context(full_batch=True, parallel_mode="semi_auto_parallel", …)
  AutoParallelContext context{.parallel_mode = ParallelMode::kSemiAutoParallel,
                              .device_num = ranks,
                              .global_rank = world.rank(),
                              .full_batch = true};
  const fs::path train_strategy = folder / "train_strategy.ckpt";
  if (ranks == kTrainRanks) context.strategy_ckpt_load_file = train_strategy;

  // predict_network = Net(); model = Model(predict_network)
  Model model = Model::open({.model = {}, .network = &network()}, run_options(context, world));

  // predict_layout = model.infer_predict_layout(predict_data)
  const auto layouts = infer_predict_layout(ModelSpec{&network(), {}}, kRows, {kFeatures}, context);
  if (world.rank() == 0) fmt::print("predict layout: {}\n", to_json(layouts));

  // load_distributed_checkpoint(predict_network, ckpt_file_list, predict_layout)
  const std::vector<fs::path> files = checkpoint_files(folder);
  if (ranks == kTrainRanks)
    load_distributed_checkpoint(model, files, to_predict_strategy(layouts), context);
  else if (ranks == 1)
    load_distributed_checkpoint(model, files, train_strategy);  // predict_strategy=None
  else
    load_distributed_checkpoint(model, files, train_strategy, to_predict_strategy(layouts));

  // output = model.predict(predict_data); print(output)
  const Tensor x = numbers({kRows, kFeatures}, 0.5);
  const Tensor outputs = model.predict(x);
  if (world.rank() != 0) return;
  const double worst = difference(outputs, x, numbers({kFeatures, kClasses}, 1));
  fmt::print("{}\n", to_string(outputs, 8));
  fmt::print("{} ranks ({}): largest difference {:.1e}\n", ranks, world.backend(), worst);
  require(worst < 1e-5, "the outputs are wrong");
  fmt::print("inference success\n");
}

void infer(const fs::path& folder, int ranks) {
  strategy = ranks == kTrainRanks ? Pieces{} : Pieces{{1, 1}, {1, ranks}};
  run_world({.backend = is_under_mpirun() ? "mpi" : "local", .ranks = ranks},
            [&](Communicator& world) { infer_on(world, folder); });
}

}  // namespace

int main(int argc, char** argv) {
  const std::string word = argc > 1 ? argv[1] : "";
  try {
    if (word == "train" && argc == 3) {
      train(argv[2]);
    } else if (word == "infer" && argc == 4) {
      infer(argv[2], std::atoi(argv[3]));
    } else {
      fmt::print(stderr, "usage: distributed_inference train DIR | infer DIR RANKS\n");
      return 2;
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "{} failed: {}\n", word, error.what());
    return 1;
  }
  return 0;
}
