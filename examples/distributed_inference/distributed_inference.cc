// MindSpore's tutorial on distributed training and inference as one program:
//
//   distributed_inference train DIR [EPOCHS]  trains on 8 ranks, each saving its slices in every
//   epoch distributed_inference infer DIR RANKS     predicts on RANKS ranks from those files
//
// The network is a product of [128,96] and a weight of [96,16], then its negative. It is trained
// with the product sharded by ((2,1),(1,4)): each rank has a quarter of the weight's columns.
// Under mpirun the ranks are its processes, else threads. What infer gives is kept in
// DIR/outputs.ckpt, and every later infer is compared with it.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <exception>
#include <string>

#include "tessera/model/auto_parallel_context.h"
#include "tessera/model/distributed_checkpoint.h"
#include "tessera/model/parameters.h"
#include "tessera/model/predict_layout.h"
#include "tessera/model/train/model_checkpoint.h"
#include "tessera/model/train/monitors.h"
#include "tessera/nn/initializer.h"
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
  const Value weight = scope.parameter("matmul_weight", {kFeatures, kClasses}, normal(0.02));
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

/// The tutorial's fake data: 256 rows of features, their labels by which features are largest.
class FakeData final : public RowSource {
 public:
  const std::string& name() const override { return name_; }
  int64_t size() const override { return 2 * kRows; }
  Row row(int64_t index) const override {
    const Tensor features = numbers({kFeatures}, 1000.0 + 97.0 * static_cast<double>(index));
    const auto values = features.data<float>().first(kClasses);
    const auto largest = std::max_element(values.begin(), values.end());
    return {features, static_cast<int32_t>(largest - values.begin())};
  }

 private:
  std::string name_ = "fake";
};

fs::path folder_of(const fs::path& folder, int rank) {
  return folder / fmt::format("device{}", rank) / fmt::format("rank_{}_ckpt", rank);
}

/// What the ranks saved last.
std::vector<fs::path> checkpoint_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (int rank = 0; rank < kTrainRanks; ++rank)
    files.push_back(folder_of(folder, rank) / "parallel-2_2.ckpt");
  return files;
}

/// Removes what an earlier run left. Rank 0 does it for all, before any of them writes.
void clear(Communicator& world, const fs::path& folder) {
  if (world.rank() == 0) {
    fs::remove_all(folder / "outputs.ckpt");
    for (int rank = 0; rank < kTrainRanks; ++rank) fs::remove_all(folder_of(folder, rank));
    fs::create_directories(folder);
  }
  world.barrier();
}

/// The tutorial's training, on one rank.
void train_on(Communicator& world, const fs::path& folder, int64_t epochs) {
  clear(world, folder);
  // context.set_auto_parallel_context(parallel_mode="semi_auto_parallel", full_batch=True, …)
  AutoParallelContext context{.parallel_mode = ParallelMode::kSemiAutoParallel,
                              .device_num = world.size(),
                              .global_rank = world.rank(),
                              .full_batch = true};
  context.strategy_ckpt_save_file = folder / "train_strategy.ckpt";

  // net = Net(); opt = Momentum(…, 0.01, 0.9); model = Model(net, loss, opt)
  Model model = Model::open({.model = {}, .network = &network()}, run_options(context, world));
  Trainer trainer(model, {.optimizer = "momentum(learning_rate=0.01,momentum=0.9)"});

  // ckpt_config = CheckpointConfig(keep_checkpoint_max=1, integrated_save=False)
  ModelCheckpoint saver(
      "parallel", folder_of(folder, world.rank()),
      {.save_checkpoint_steps = 2, .keep_checkpoint_max = 1, .integrated_save = false});
  LossMonitor losses;

  // model.train(epochs, dataset, callbacks=[…])
  const std::vector<Callback*> callbacks = {&saver, &losses};
  trainer.train(epochs, Pipeline(std::make_shared<FakeData>()).batch(kRows), callbacks);
  if (world.rank() == 0) fmt::print("training success\n");
}

void train(const fs::path& folder, int64_t epochs) {
  strategy = {{2, 1}, {1, 4}};
  run_world({.backend = is_under_mpirun() ? "mpi" : "local", .ranks = kTrainRanks},
            [&](Communicator& world) { train_on(world, folder, epochs); });
}

/// The largest difference from what the first inference gave, which is kept.
double difference(const Tensor& outputs, const fs::path& file) {
  if (!fs::exists(file)) {
    save_checkpoint({.entries = {{"outputs", outputs}}}, file);
    return 0;
  }
  const Tensor first = *load_checkpoint(file).find("outputs");
  double worst = 0;
  for (size_t i = 0; i < static_cast<size_t>(outputs.size()); ++i)
    worst = std::max(
        worst, static_cast<double>(std::abs(outputs.data<float>()[i] - first.data<float>()[i])));
  return worst;
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
  RunOptions run = run_options(context, world);
  run.deterministic = true;  // so that any number of ranks gives the same bits
  Model model = Model::open({.model = {}, .network = &network()}, run);

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
  fmt::print("{}\n", to_string(outputs, 8));
  fmt::print("{} ranks ({}): largest difference between the layouts {}\n", ranks, world.backend(),
             difference(outputs, folder / "outputs.ckpt"));
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
    if (word == "train" && (argc == 3 || argc == 4)) {
      train(argv[2], argc == 4 ? std::atoi(argv[3]) : 2);
    } else if (word == "infer" && argc == 4) {
      infer(argv[2], std::atoi(argv[3]));
    } else {
      fmt::print(stderr, "usage: distributed_inference train DIR [EPOCHS] | infer DIR RANKS\n");
      return 2;
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "{} failed: {}\n", word, error.what());
    return 1;
  }
  return 0;
}
