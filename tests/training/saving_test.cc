// Checkpoints while training: their names, which are kept, what is in them, going on from them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "tessera/checkpoint/checkpoint.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/model/predict_layout.h"
#include "tessera/model/train/model_checkpoint.h"
#include "tessera/model/train/whole_tensor.h"
#include "tests/support/error_of.h"
#include "tests/support/run_program.h"
#include "tests/support/scratch_folder.h"
#include "tests/training/digits_run.h"
#include "tests/training/on_ranks.h"

namespace tessera::testing {
namespace {

/// Trains new weights for two epochs of ten steps of 8 rows, with this saver.
void train_with(ModelCheckpoint& saver, const TrainOptions& options = {}) {
  Model model = lenet();
  Trainer trainer(model, options);
  const std::vector<Callback*> callbacks = {&saver};
  trainer.train(2, digits(model.spec(), 8, 80), callbacks);
}

TEST(ModelCheckpoint, NamesFilesByEpochAndStepAndKeepsTheNewest) {
  const ScratchFolder folder("training");
  ModelCheckpoint saver("lenet", folder.path(),
                        {.save_checkpoint_steps = 4, .keep_checkpoint_max = 3});
  train_with(saver);
  EXPECT_EQ(files_in(folder.path()),
            (std::set<std::string>{"lenet-2_2.ckpt", "lenet-2_6.ckpt", "lenet-2_10.ckpt"}));
  EXPECT_EQ(saver.latest(), folder.path() / "lenet-2_10.ckpt");
}

TEST(ModelCheckpoint, SavesAtTheEndWhatIsNotSavedYet) {
  const ScratchFolder folder("training");
  ModelCheckpoint saver("net", folder.path(), {.save_checkpoint_steps = 13});
  train_with(saver);
  EXPECT_EQ(files_in(folder.path()), (std::set<std::string>{"net-2_3.ckpt", "net-2_10.ckpt"}));
}

TEST(ModelCheckpoint, GivesALaterRunANameOfItsOwn) {
  const ScratchFolder folder("training");
  for (int run = 0; run < 3; ++run) {
    ModelCheckpoint saver("a", folder.path(), {.save_checkpoint_steps = 20});
    train_with(saver);
  }
  EXPECT_EQ(files_in(folder.path()),
            (std::set<std::string>{"a-2_10.ckpt", "a_1-2_10.ckpt", "a_2-2_10.ckpt"}));
}

TEST(ModelCheckpoint, HoldsWhatMindSporesTrainingCellHoldsInItsOrder) {
  const ScratchFolder folder("training");
  ModelCheckpoint saver(
      "m", folder.path(),
      {.save_checkpoint_steps = 20, .append_info = {"epoch_num", "step_num"}, .crc_check = true});
  train_with(saver, {.optimizer = "momentum"});
  const Checkpoint stored = open_checkpoint(saver.latest(), {.crc = CrcCheck::kRequired});
  const std::vector<std::string> parameters = {"conv1.weight", "conv2.weight", "fc1.weight",
                                               "fc1.bias",     "fc2.weight",   "fc2.bias",
                                               "fc3.weight",   "fc3.bias"};
  std::vector<std::string> wanted = parameters;
  for (const char* name : {"global_step", "learning_rate", "momentum"}) wanted.emplace_back(name);
  for (const std::string& name : parameters) wanted.push_back("moments." + name);
  for (const char* name : {"epoch_num", "step_num"}) wanted.emplace_back(name);
  EXPECT_EQ(stored.catalog.names(), wanted);
}

TEST(ModelCheckpoint, SavedByAnotherThreadHoldsTheStepItIsNamedAfter) {
  const ScratchFolder now("now"), later("later");
  ModelCheckpoint first("a", now.path(), {.save_checkpoint_steps = 5, .keep_checkpoint_max = 9});
  ModelCheckpoint second(
      "a", later.path(),
      {.save_checkpoint_steps = 5, .keep_checkpoint_max = 9, .async_save = true});
  train_with(first);
  train_with(second);
  ASSERT_EQ(files_in(now.path()), files_in(later.path()));
  for (const std::string& name : files_in(now.path())) {
    const auto bytes = [&](const ScratchFolder& folder) {
      return open_checkpoint(folder.path() / name);
    };
    const Checkpoint a = bytes(now), b = bytes(later);
    for (const Record& record : a.catalog.records) {
      const Record* other = b.catalog.find(record.name);
      ASSERT_NE(other, nullptr) << record.name;
      EXPECT_TRUE(std::ranges::equal(load_record(a, record).contiguous().bytes(),
                                     load_record(b, *other).contiguous().bytes()))
          << record.name << " of " << name;
    }
  }
}

/// A clock that says 10 seconds more after each step; it is asked in between too.
class Clock final : public Callback {
 public:
  void step_end(Trainer&, const StepReport&) override { seconds_ += 10; }
  std::function<double()> read() {
    return [this] { return seconds_; };
  }

 private:
  double seconds_ = 1000;
};

void train_by_clock(const std::filesystem::path& folder, CheckpointConfig config) {
  Clock clock;
  config.clock = clock.read();
  ModelCheckpoint saver("c", folder, config);
  Model model = lenet();
  const std::vector<Callback*> callbacks = {&clock, &saver};
  model.train(2, digits(model.spec(), 8, 80), {}, callbacks);
}

TEST(ModelCheckpoint, SavesEverySoManySeconds) {
  const ScratchFolder folder("training");
  train_by_clock(folder.path(), {.save_checkpoint_steps = 0, .save_checkpoint_seconds = 45});
  EXPECT_EQ(files_in(folder.path()),
            (std::set<std::string>{"c-1_5.ckpt", "c-1_10.ckpt", "c-2_5.ckpt", "c-2_10.ckpt"}));
}

TEST(ModelCheckpoint, KeepsOneFilePerSoManyMinutesAndTheNewest) {
  const ScratchFolder folder("training");
  // Saved 20, 40, … 200 seconds after the beginning.
  train_by_clock(
      folder.path(),
      {.save_checkpoint_steps = 2, .keep_checkpoint_max = 0, .keep_checkpoint_per_n_minutes = 1});
  EXPECT_EQ(files_in(folder.path()),
            (std::set<std::string>{"c-1_2.ckpt", "c-1_8.ckpt", "c-2_4.ckpt", "c-2_10.ckpt"}));
}

TEST(ModelCheckpoint, RefusesSettingsThatDoNotGoTogether) {
  const ScratchFolder folder("training");
  const auto refuses = [&](const std::string& prefix, const CheckpointConfig& config) {
    EXPECT_THROW(ModelCheckpoint(prefix, folder.path(), config), Error);
  };
  refuses("a/b", {});
  refuses("a", {.save_checkpoint_steps = -1});
  refuses("a", {.save_checkpoint_steps = 0, .keep_checkpoint_max = 0});
  refuses("a", {.enc_key = "0123456789abcdef", .crc_check = true});
  refuses("a", {.crc_check = true, .format = "safetensors"});
  refuses("a", {.append_info = {"learning_rate"}});
}

/// What training has after 20 steps, gone on with after `steps` of them where that is above 0.
Tensors tensors_after(const TrainOptions& options, int64_t steps) {
  const ScratchFolder folder("training");
  const auto rows = [](const Model& model) { return digits(model.spec(), 8, 80).shuffle(11); };
  Model model = lenet();
  if (steps > 0) {
    Trainer begun(model, options);
    ModelCheckpoint saver("r", folder.path(),
                          {.save_checkpoint_steps = steps, .keep_checkpoint_max = 99});
    const std::vector<Callback*> callbacks = {&saver};
    begun.train(2, rows(model), callbacks);
  }
  Model other = lenet();
  Trainer trainer(other, options);
  if (steps > 0) {
    const int64_t batch = steps * options.accumulate - 1;
    const auto name = fmt::format("r-{}_{}.ckpt", batch / 10 + 1, batch % 10 + 1);
    trainer.restore({.weights = {folder.path() / name}});
    EXPECT_EQ(trainer.global_step(), steps);
  }
  trainer.train(2, rows(other), {});
  return tensors_of(trainer);
}

TEST(Resuming, GivesTheBitsOfARunThatWasNotInterrupted) {
  for (const std::string optimizer :
       {"momentum", "adam", "sgd(momentum=0.9)", "rms_prop", "lamb"}) {
    const TrainOptions options{.optimizer = optimizer};
    const auto whole = tensors_after(options, 0);
    for (const int64_t steps : {3, 10, 17}) {
      SCOPED_TRACE(fmt::format("{} after {} steps", optimizer, steps));
      const auto found = tensors_after(options, steps);
      ASSERT_EQ(found.size(), whole.size());
      expect_same_bits(found, whole);
    }
  }
}

TEST(Resuming, OfAccumulationAndOfMicroBatchesBeginsAtTheRowsBehindTheStep) {
  for (const TrainOptions& options :
       {TrainOptions{.accumulate = 2}, TrainOptions{.micro_batches = 2}}) {
    SCOPED_TRACE(options.accumulate);
    const ScratchFolder folder("training");
    const auto rows = [&](const Model& model) {
      return digits(model.spec(), options.accumulate == 2 ? 4 : 8, 80).shuffle(11);
    };
    ModelCheckpoint saver("r", folder.path(),
                          {.save_checkpoint_steps = 13, .keep_checkpoint_max = 9});
    const std::vector<Callback*> callbacks = {&saver};
    Model whole = lenet(), on = lenet();
    Trainer first(whole, options), second(on, options);
    first.train(2, rows(whole), callbacks);
    const char* name = options.accumulate == 2 ? "r-2_6.ckpt" : "r-2_3.ckpt";
    second.restore({.weights = {folder.path() / name}});
    EXPECT_EQ(second.global_step(), 13);
    EXPECT_EQ(second.train(2, rows(on), {}).rows, 56);
    EXPECT_EQ(second.global_step(), 20);
    expect_same_bits(tensors_of(second), tensors_of(first));
  }
}

TEST(Resuming, BetweenStepsOfManyBatchesGoesOnAtTheRightBatch) {
  const TrainOptions options{.optimizer = "adam", .accumulate = 2};
  const auto whole = tensors_after(options, 0);
  for (const int64_t steps : {2, 7}) {
    SCOPED_TRACE(steps);
    expect_same_bits(whole, tensors_after(options, steps));
  }
}

TEST(Resuming, FromAnotherOptimizersCheckpointIsRefused) {
  const ScratchFolder folder("training");
  ModelCheckpoint saver("a", folder.path(), {.save_checkpoint_steps = 20});
  train_with(saver, {.optimizer = "momentum"});
  Model model = lenet();
  Trainer trainer(model, {.optimizer = "adam"});
  try {
    trainer.restore({.weights = {saver.latest()}});
    ADD_FAILURE() << "was taken";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("moment1.conv1.weight"), std::string::npos)
        << error.what();
  }
}

TEST(Resuming, InEpochsOfOtherBatchesIsRefusedWhereTheyAreKnown) {
  const ScratchFolder folder("training");
  for (const bool is_known : {false, true}) {
    CheckpointConfig config{.save_checkpoint_steps = 13};
    if (is_known) config.append_info = {"batches_in_epoch"};
    ModelCheckpoint saver(is_known ? "known" : "unknown", folder.path(), config);
    train_with(saver);
    Model model = lenet();
    Trainer trainer(model, {});
    const auto go_on = [&](int64_t batch) {
      trainer.restore({.weights = {saver.latest()}});
      return error_of([&] { trainer.train(3, digits(model.spec(), batch, 80), {}); });
    };
    EXPECT_EQ(go_on(8), "");
    EXPECT_EQ(trainer.global_step(), 30);
    const std::string other = go_on(16);
    const std::string why = "an epoch has 5 batches here, and 10 in the run that goes on behind 20";
    EXPECT_EQ(other.starts_with(why), is_known) << other;
    EXPECT_EQ(other.empty(), !is_known) << other;
    EXPECT_EQ(trainer.global_step(), 20);  // which is behind the third epoch of 5
  }
}

TEST(Resuming, TheProgramsCheckpointsSayHowManyBatchesAnEpochHad) {
  const ScratchFolder folder("training");
  const std::string run =
      "\"$TESSERA_PROGRAM\" train lenet5 --data digits:train --limit 80 --quiet ";
  const std::string at = folder.path().string();
  ASSERT_EQ(shell(run + "--batch 8 --save " + at).status, 0);
  const std::string resume = run + "--epochs 2 --resume " + at + "/lenet5-1_10.ckpt --batch ";
  EXPECT_EQ(shell(resume + "8").status, 0);
  const Outcome refused = shell(resume + "16");
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("an epoch has 5 batches here, and 10"), std::string::npos)
      << refused.err;
}

struct Place {
  int ranks = 1;
  std::string mesh = {};
  bool shard_optimizer = false;
};

/// Deterministic training on ranks that are placed so.
void train_placed(const Place& where,
                  const std::function<void(Trainer&, const Pipeline&, Communicator*)>& body,
                  const std::filesystem::path& strategy = {}) {
  on_ranks(where.ranks, [&](Communicator* world) {
    RunOptions options{.threads = 1, .deterministic = true, .world = world};
    lay_out(options.place, where.mesh, kTensorParallel);
    if (!strategy.empty())
      options.on_first_program = [&](const Placed& placed) {
        write_strategy(strategy_of(placed), strategy);
      };
    Model model = Model::open({.model = "lenet5", .seed = 5}, options);
    Trainer trainer(model, {.optimizer = "adam", .shard_optimizer = where.shard_optimizer});
    body(trainer, digits(model.spec(), 8, 80).shuffle(7), world);
  });
}

TEST(Resuming, OnAnotherNumberOfRanksGivesTheBitsOfOneRankThatWasNotInterrupted) {
  const ScratchFolder folder("training");
  const auto file = [&](const std::string& rank) {
    return folder.path() / fmt::format("rank_{}_ckpt", rank) / "s-1_7.ckpt";
  };
  train_placed(
      {2, "{tp=2}"},
      [&](Trainer& trainer, const Pipeline& rows, Communicator* world) {
        ModelCheckpoint saver("s", file(std::to_string(world->rank())).parent_path(),
                              {.save_checkpoint_steps = 7,
                               .integrated_save = false,
                               .append_info = {"batches_in_epoch"}});
        const std::vector<Callback*> callbacks = {&saver};
        trainer.train(1, rows, callbacks);
      },
      folder.path() / "strategy.ckpt");
  for (const char* name : {"fc1.weight", "moment1.fc1.weight"})
    EXPECT_EQ(open_checkpoint(file("1")).catalog.find(name)->shape, (Shape{60, 400})) << name;

  Tensors whole;
  train_placed({}, [&](Trainer& trainer, const Pipeline& rows, Communicator*) {
    trainer.train(2, rows, {});
    whole = tensors_of(trainer);
  });
  const std::vector<Place> places = {
      {1}, {2, "{tp=2}"}, {3}, {4, "{dp=2,tp=2}"}, {4, "{dp=2,tp=2}", true}};
  for (const Place& place : places) {
    SCOPED_TRACE(fmt::format("{} ranks of {}", place.ranks, place.mesh));
    train_placed(place, [&](Trainer& trainer, const Pipeline& rows, Communicator* world) {
      trainer.restore({.weights = {file("*")}, .strategy = folder.path() / "strategy.ckpt"});
      EXPECT_EQ(trainer.global_step(), 7);
      EXPECT_EQ(trainer.train(2, rows, {}).steps, 13);
      Tensors found;
      for (const TrainedTensor& tensor : trainer.tensors_of_all_ranks())
        found.emplace(tensor.name, whole_tensor(tensor, world));
      if (trainer.rank() == 0) expect_same_bits(found, whole);
    });
  }
}

TEST(Resuming, OfSlicesWithoutTheirStrategyIsRefused) {
  Model model = lenet();
  Trainer trainer(model, {});
  const std::string message =
      error_of([&] { trainer.restore({.weights = {"no/rank_*_ckpt/a-1_1.ckpt"}}); });
  EXPECT_NE(message.find("it needs the strategy file (--from)"), std::string::npos) << message;
}

TEST(Resuming, BehindTheLastEpochMakesNoStepAndSavesNothing) {
  const ScratchFolder folder("training");
  ModelCheckpoint first("r", folder.path() / "a", {.save_checkpoint_steps = 20});
  train_with(first);
  Model model = lenet();
  Trainer trainer(model, {});
  trainer.restore({.weights = {first.latest()}});
  ModelCheckpoint second("r", folder.path() / "b", {.save_checkpoint_steps = 20});
  const std::vector<Callback*> callbacks = {&second};
  const TrainReport report = trainer.train(2, digits(model.spec(), 8, 80), callbacks);
  EXPECT_EQ(report.steps, 0);
  EXPECT_TRUE(std::isnan(report.loss));
  EXPECT_EQ(files_in(folder.path() / "b"), std::set<std::string>{});
  EXPECT_TRUE(second.latest().empty());
}

TEST(ModelCheckpoint, OfManyRanksHoldsWholeTensorsWhateverTheirCuts) {
  const ScratchFolder folder("training");
  for (const bool async : {false, true}) {
    const std::string prefix = async ? "later" : "now";
    run_world({.ranks = 4}, [&](Communicator& world) {
      RunOptions options{.threads = 1, .world = &world};
      lay_out(options.place, "{dp=2,tp=2}", kTensorParallel);
      Model model = Model::open({.model = "lenet5", .seed = 5}, options);
      Trainer trainer(model, {.optimizer = "adam"});
      ModelCheckpoint saver(prefix, folder.path(), {.async_save = async});
      const std::vector<Callback*> callbacks = {&saver};
      trainer.train(1, digits(model.spec(), 8, 8), callbacks);
      world.barrier();
      const Checkpoint stored = open_checkpoint(folder.path() / (prefix + "-1_1.ckpt"));
      for (const TrainedTensor& here : trainer.tensors()) {
        const Record* record = stored.catalog.find(here.name);
        ASSERT_NE(record, nullptr) << here.name;
        EXPECT_EQ(record->shape, here.shape) << here.name;
        const Tensor all = load_record(stored, *record);
        const Box box = here.layout.mesh == nullptr
                            ? whole(here.shape)
                            : local_box(here.layout, here.shape, world.rank());
        EXPECT_TRUE(std::ranges::equal(all.slice(box).contiguous().bytes(), here.values.bytes()))
            << here.name << " of rank " << world.rank();
      }
    });
  }
}

TEST(Resuming, OfAnEncryptedCheckpointTakesItsKeyFromTheProgramsOptions) {
  const ScratchFolder folder("training");
  const std::string key = "0123456789abcdef";
  ModelCheckpoint saver("e", folder.path() / "a", {.save_checkpoint_steps = 10, .enc_key = key});
  train_with(saver);
  std::ofstream(folder.path() / "key") << key;
  const auto resume = [&](std::vector<std::string> more) {
    std::vector<std::string> all{"train",
                                 "lenet5",
                                 "--data",
                                 "digits:train",
                                 "--limit",
                                 "80",
                                 "--batch",
                                 "8",
                                 "--quiet",
                                 "--resume",
                                 (folder.path() / "a/e-1_10.ckpt").string(),
                                 "--epochs",
                                 "2"};
    all.insert(all.end(), more.begin(), more.end());
    return run_tessera(all);
  };
  const Outcome done = resume({"--key-file", (folder.path() / "key").string()});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_NE(done.out.find("10 steps of 8 rows"), std::string::npos) << done.out;
  EXPECT_EQ(resume({"--rename", "a=b"}).status, 2);
  const Outcome refused = resume({});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("encrypted"), std::string::npos) << refused.err;
}

}  // namespace
}  // namespace tessera::testing
