#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <utility>

#include "cli/checkpoint_options.h"
#include "cli/common_options.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/rank_options.h"
#include "cli/rows.h"
#include "cli/word.h"
#include "tessera/base/text.h"
#include "tessera/model/predict_layout.h"
#include "tessera/model/train/evaluate_each.h"
#include "tessera/model/train/model_checkpoint.h"
#include "tessera/model/train/monitors.h"
#include "tessera/model/train/train_log.h"
#include "tessera/model/train/trainer.h"

namespace tessera::cli {
namespace {

struct Request {
  ModelOptions model;
  CheckpointOptions checkpoint;
  RowOptions rows;
  RankOptions ranks;
  CommonOptions common;
  std::string weights;
  std::string optimizer = "momentum(learning_rate=0.01,momentum=0.9)";
  std::vector<std::string> groups;
  std::string loss = "sparse_softmax_cross_entropy";
  std::string clip_norm = "0";
  std::string clip_value = "0";
  std::string loss_scale;
  DType products = DType::kF32;
  int64_t accumulate = 1;
  int64_t micro_batches = 1;
  std::vector<std::string> recompute;
  bool shard_optimizer = false;
  bool shard_parameters = false;
  bool sum_gradients = false;
  bool statistics_per_rank = false;
  int64_t epochs = 1;
  int64_t seed = 0;
  bool no_shuffle = false;
  std::string folder;  // --save
  std::string prefix;
  int64_t save_steps = 0;
  int64_t keep = 5;
  bool slices = false;
  bool async_save = false;
  bool survive_save_errors = false;
  std::string resume;
  std::string eval_data;
  int64_t eval_every = 1;
  std::string log;
  std::string page;
  int64_t loss_every = 0;
};

double number_option(std::string_view name, const std::string& text) {
  const std::optional<double> value = parse_double(text);
  require_usage(value && *value >= 0 && std::isfinite(*value),
                "{} is '{}'; wanted a number, 0 or more", name, printable(text));
  return *value;
}

/// "*.bias: learning_rate=0.01 weight_decay=0" or "conv*: frozen".
ParameterGroup parse_group(const std::string& text) {
  const size_t colon = text.find(':');
  require_usage(colon != std::string::npos,
                "--group is '{}'; wanted a pattern of names and what holds for them, such as "
                "'*.bias: learning_rate=0.01 weight_decay=0' or 'conv*: frozen'",
                printable(text));
  ParameterGroup group{.pattern = std::string(trim(std::string_view(text).substr(0, colon)))};
  for (const std::string_view word : split(std::string_view(text).substr(colon + 1), ' ')) {
    const std::string_view said = trim(word);
    if (said.empty()) continue;
    if (said == "frozen")
      group.is_frozen = true;
    else if (said.starts_with("learning_rate="))
      group.rate = read_usage([&] { return parse_schedule(said.substr(14)); });
    else if (said.starts_with("weight_decay="))
      group.weight_decay = number_option("weight_decay", std::string(said.substr(13)));
    else
      require_usage(false,
                    "--group has '{}'; wanted learning_rate=RATE, weight_decay=NUMBER or frozen",
                    printable(said));
  }
  return group;
}

TrainOptions train_options(const Request& request) {
  TrainOptions options{.optimizer = request.optimizer, .loss = request.loss};
  read_usage([&] { return parse_optimizer(request.optimizer); });
  for (const std::string& group : request.groups) options.groups.push_back(parse_group(group));
  options.clip_norm = number_option("--clip-norm", request.clip_norm);
  options.clip_value = number_option("--clip-value", request.clip_value);
  require_usage(request.accumulate >= 1, "--accumulate is {}; wanted 1 or more",
                request.accumulate);
  options.accumulate = static_cast<int>(request.accumulate);
  require_usage(request.micro_batches >= 1 && request.micro_batches <= 4096,
                "--micro-batches is {}; wanted 1 to 4096", request.micro_batches);
  options.micro_batches = static_cast<int>(request.micro_batches);
  options.loss_scale = request.loss_scale;
  read_usage([&] { return parse_loss_scale(request.loss_scale); });
  options.products = request.products;
  options.seed = static_cast<uint64_t>(request.seed);
  options.recompute = request.recompute;
  options.shard_optimizer = request.shard_optimizer || request.shard_parameters;
  options.sum_gradients = request.sum_gradients;
  options.statistics_per_rank = request.statistics_per_rank;
  return options;
}

/// Loss, rate and what is left, on one line of the terminal.
class LiveLine final : public Callback {
 public:
  LiveLine(int64_t all_steps, bool quiet) : progress_("training", all_steps, quiet) {}
  void step_end(Trainer&, const StepReport& step) override {
    progress_.update(
        ++done_,
        fmt::format("epoch {}/{}, loss {:.4f}, {:.0f} rows/s", step.epoch, step.epochs, step.loss,
                    static_cast<double>(step.rows) / std::max(step.seconds, 1e-9)));
  }

 private:
  Progress progress_;
  int64_t done_ = 0;
};

void print_json(const Request& request, const Model& model, const TrainReport& report,
                const std::filesystem::path& saved, const EvalReport* eval) {
  Json out;
  out.open('{').field("model", to_string(model.spec())).field("data", request.rows.data);
  out.field("optimizer", request.optimizer).field("epochs", request.epochs);
  out.field("steps", report.steps).field("rows", report.rows).field("loss", report.loss);
  out.field("seconds", report.seconds).field("wait_seconds", report.wait_seconds);
  out.field("activation_bytes", report.activation_bytes);
  out.key("rank_activation_bytes").open('[');
  for (const int64_t bytes : report.rank_activation_bytes) out.value(bytes);
  out.close().field("ranks", int64_t{model.rank_count()}).field("saved", saved.string());
  if (eval != nullptr) {
    out.key("eval").open('{').field("data", request.eval_data).field("rows", eval->rows);
    out.field("correct", eval->correct).key("metrics").open('{');
    for (const MetricResult& metric : eval->metrics) out.key(metric.name).raw(to_json(metric));
    out.close().close();
  }
  fmt::print("{}\n", out.close().text());
}

/// "12 MiB beside the parameters", of ranks that differ "12 MiB … on rank 0, 4 MiB on ranks 1-2".
std::string kept_text(const std::vector<int64_t>& of_ranks) {
  std::string text;
  for (size_t begin = 0, end = 0; begin < of_ranks.size(); begin = end) {
    while (end < of_ranks.size() && of_ranks[end] == of_ranks[begin]) ++end;
    text += begin == 0 ? "" : ", ";
    text += human_bytes(static_cast<uint64_t>(of_ranks[begin]));
    if (begin == 0) text += " beside the parameters";
    if (end - begin == of_ranks.size()) break;
    text += end - begin == 1 ? fmt::format(" on rank {}", begin)
                             : fmt::format(" on ranks {}-{}", begin, end - 1);
  }
  return text;
}

void print_text(const Request& request, const Model& model, const TrainReport& report,
                const std::filesystem::path& saved, const EvalReport* eval) {
  fmt::print("{} trained on {} with {}\n", to_string(model.spec()), request.rows.data,
             request.optimizer);
  if (report.steps == 0)
    fmt::print("no step was left to make: {} is of the end of epoch {} or a later one\n",
               request.resume, request.epochs);
  else
    fmt::print("{} steps of {} rows in {:.3f} s: {:.0f} rows/s; the last loss is {}\n",
               report.steps, request.rows.batch, report.seconds,
               static_cast<double>(report.rows) / std::max(report.seconds, 1e-9), report.loss);
  if (report.steps > 0) fmt::print("a step keeps {}\n", kept_text(report.rank_activation_bytes));
  if (!saved.empty()) fmt::print("saved as {}\n", saved.string());
  if (eval == nullptr) return;
  for (const MetricResult& metric : eval->metrics)
    fmt::print("{} on {}: {}\n", metric.name, request.eval_data, to_string(metric));
}

std::unique_ptr<ModelCheckpoint> make_saver(const Request& request, const Model& model,
                                            Communicator* world) {
  CheckpointConfig config;
  config.save_checkpoint_steps = request.save_steps;
  config.keep_checkpoint_max = request.keep;
  config.integrated_save = !request.slices;
  config.async_save = request.async_save;
  if (request.survive_save_errors) config.on_error = SaveErrors::kContinue;
  config.append_info = {"epoch_num", "step_num", std::string(kBatchesInEpoch)};
  std::filesystem::path folder = request.folder;
  if (request.slices && world != nullptr) folder /= fmt::format("rank_{}_ckpt", world->rank());
  const std::string prefix =
      request.prefix.empty() ? std::string(model.spec().model->name) : request.prefix;
  return std::make_unique<ModelCheckpoint>(prefix, folder, config);
}

/// What is looked for is a placement of steps, and how parameters are kept.
void place_for_training(const Request& request, const TrainOptions& options, RunOptions& run) {
  if (run.search) run.search->training = std::make_shared<const TrainRecipe>(recipe_of(options));
  if (request.shard_parameters) run.place.cut_further = further_cuts(options.parallel_optimizer);
}

/// What is evaluated after epochs; null where nothing is.
std::unique_ptr<EvaluateEach> make_tests(const Request& request, const ModelSpec& spec,
                                         int threads) {
  if (request.eval_data.empty()) return nullptr;
  RowOptions other = request.rows;
  other.data = request.eval_data;
  other.limit = 0;
  other.drop_remainder = false;
  return std::make_unique<EvaluateEach>(other.open(spec, threads), "accuracy,loss",
                                        request.eval_every, EvalOptions{.loss = request.loss});
}

/// What one rank does; rank 0 tells the result.
void train_on(const Request& request, Communicator* world) {
  const bool tells = world == nullptr || world->rank() == 0;
  const bool quiet = !tells || request.common.quiet || request.common.json;
  const ModelSpec spec = request.model.spec();
  RunOptions run = request.model.run_options(request.common.thread_count());
  Pipeline rows = request.rows.open(spec, run.threads);
  if (!request.no_shuffle) rows = rows.shuffle(static_cast<uint64_t>(request.seed));
  const Shape row = rows.row_type().shape;
  run = request.ranks.run_options(run, world, spec, request.rows.batch, row);
  if (world != nullptr) rows = rows.threads(run.threads);
  const TrainOptions options = train_options(request);
  place_for_training(request, options, run);
  if (request.slices && !request.folder.empty())
    run.on_first_program = [&](const Placed& placed) {
      std::filesystem::create_directories(request.folder);
      const Strategy strategy = strategy_of(placed);
      // MindSpore's files cannot say that a stage is one rank.
      const std::string_view name = strategy.ranks_per_stage > 1 ? "strategy.ckpt" : "layouts.txt";
      write_strategy(strategy, std::filesystem::path(request.folder) / name);
    };
  CheckpointOptions of_weights = request.checkpoint;
  if (request.weights.empty() && !request.resume.empty()) {  // how to open that one
    of_weights.key_file.clear();
    of_weights.cipher.clear();
    of_weights.crc = of_weights.map = false;
  }
  Model model = request.model.open({request.weights, request.ranks.from}, of_weights, row, run,
                                   static_cast<uint64_t>(request.seed));
  Trainer trainer(model, options);
  if (!request.resume.empty())
    trainer.restore({.weights = {request.resume},
                     .strategy = request.ranks.from,
                     .open = request.checkpoint.open_options()});
  LiveLine line(request.epochs * rows.batch_count() - trainer.step_count(),
                quiet || request.loss_every > 0);
  std::vector<Callback*> callbacks = {&line};
  std::unique_ptr<ModelCheckpoint> saver;
  if (!request.folder.empty())
    callbacks.push_back((saver = make_saver(request, model, world)).get());
  const std::unique_ptr<EvaluateEach> tests = make_tests(request, spec, run.threads);
  if (tests) callbacks.push_back(tests.get());
  LossMonitor losses(request.loss_every, stdout, tests.get());
  TimeMonitor times;
  if (request.loss_every > 0 && !request.common.json)
    callbacks.insert(callbacks.end(), {&losses, &times});
  TrainLog log(request.log, request.page, tests.get());
  if (tells) callbacks.push_back(&log);
  const TrainReport report = trainer.train(request.epochs, rows, callbacks);
  if (!tells) return;
  const std::filesystem::path saved = saver ? saver->latest() : std::filesystem::path();
  const EvalReport* tested =
      tests && !tests->points().empty() ? &tests->points().back().report : nullptr;
  request.common.json ? print_json(request, model, report, saved, tested)
                      : print_text(request, model, report, saved, tested);
}

/// An option that another one makes nothing of is a mistake.
void check_result(const Request& request) {
  require_usage(request.loss_every >= 0, "--loss-every is {}; wanted 0 or more",
                request.loss_every);
  require_usage(request.save_steps >= 0, "--save-steps is {}; wanted 0 or more",
                request.save_steps);
  require_usage(request.keep >= 1, "--keep is {}; wanted 1 or more", request.keep);
  require_usage(request.eval_every >= 1, "--eval-every is {}; wanted 1 or more",
                request.eval_every);
  const Request unsaid;
  const auto wants = [](bool is_said, std::string_view option, std::string_view other) {
    require_usage(!is_said, "{} says nothing without {}; give that too", option, other);
  };
  if (request.eval_data.empty())
    wants(request.eval_every != unsaid.eval_every, "--eval-every", "--eval-data");
  if (!request.folder.empty()) return;
  wants(!request.prefix.empty(), "--save-prefix", "--save");
  wants(request.save_steps != unsaid.save_steps, "--save-steps", "--save");
  wants(request.keep != unsaid.keep, "--keep", "--save");
  wants(request.slices, "--slices", "--save");
  wants(request.async_save, "--async-save", "--save");
  wants(request.survive_save_errors, "--survive-save-errors", "--save");
}

void train(const Request& request) {
  request.rows.check();
  require_usage(!request.rows.skip_bad, "--skip-bad is for eval: training leaves no row out");
  request.model.spec();
  (void)train_options(request);
  require_usage(request.epochs >= 1, "--epochs is {}; wanted 1 or more", request.epochs);
  check_result(request);
  request.ranks.run([&](Communicator* world) { train_on(request, world); });
}

/// Training says by what its products are rounded, on any processor; what is evaluated stays f32.
void take_precision(Request& request) {
  const std::string said = std::exchange(request.model.precision, "f32");
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    if (said != to_string(dtype)) continue;
    request.products = dtype;
    return;
  }
  require_usage(false, "--precision is '{}'; a model is trained in f32, bf16 or f16",
                printable(said));
}

void declare_training(Arguments& arguments, Request& request) {
  arguments.group("Training");
  arguments.option("--epochs", request.epochs, "how often all rows are read");
  arguments.option("--optimizer", request.optimizer,
                   "momentum, sgd, adam, adam_weight_decay, rms_prop, adagrad or lamb, with its "
                   "options in brackets; learning_rate may be a schedule");
  arguments.options("--group", request.groups,
                    "'PATTERN: learning_rate=… weight_decay=…' or 'PATTERN: frozen': parameters "
                    "trained in another way");
  arguments.option("--loss", request.loss, "op that gives the loss of each row");
  arguments.option("--clip-norm", request.clip_norm, "largest norm of all gradients together");
  arguments.option("--clip-value", request.clip_value, "largest element of a gradient");
  arguments.option("--loss-scale", request.loss_scale,
                   "fixed(loss_scale=128) or dynamic(init_loss_scale=16777216,scale_factor=2,"
                   "scale_window=2000): the loss is multiplied, gradients are divided by it");
  arguments.option("--accumulate", request.accumulate, "batches whose gradients make one step");
  arguments.option("--micro-batches", request.micro_batches,
                   "pieces of each batch that are computed one after the other: with --stages "
                   "they fill the pipeline, without they take less memory");
  arguments.options("--recompute", request.recompute,
                    "pattern of scopes, such as 'layer1.*', whose values are computed again "
                    "instead of kept: less memory, the same bits");
  arguments.flag("--shard-optimizer", request.shard_optimizer,
                 "ranks that hold the same parameters share what the optimizer keeps");
  arguments.flag("--shard-parameters", request.shard_parameters,
                 "and the parameters, which are gathered where they are read");
  arguments.flag("--sum-gradients", request.sum_gradients,
                 "sum the gradients of the ranks' own losses, as MindSpore's data_parallel without "
                 "gradients_mean");
  arguments.flag("--statistics-per-rank", request.statistics_per_rank,
                 "batch norm over each rank's rows, as MindSpore's data_parallel");
  arguments.option("--seed", request.seed, "of new weights and of the order of rows");
  arguments.flag("--no-shuffle", request.no_shuffle, "read rows in the order of the data set");
}

void declare_result(Arguments& arguments, Request& request) {
  arguments.group("Result");
  arguments.option("--save", request.folder, "folder for checkpoints");
  arguments.option("--save-prefix", request.prefix,
                   "what their names begin with; default: the model's name");
  arguments.option("--save-steps", request.save_steps,
                   "save every so many steps; 0: at the end alone");
  arguments.option("--keep", request.keep, "so many files at most, the newest");
  arguments.flag("--slices", request.slices,
                 "each rank saves its slices in rank_<i>_ckpt, and rank 0 the strategy file; of "
                 "stages of one rank layouts.txt");
  arguments.flag("--async-save", request.async_save, "train on while a file is written");
  arguments.flag("--survive-save-errors", request.survive_save_errors,
                 "train on where a checkpoint cannot be written, such as on a full disk");
  arguments.option("--resume", request.resume, "go on where this checkpoint was saved");
  arguments.option("--eval-data", request.eval_data, "rows to evaluate after epochs");
  arguments.option("--eval-every", request.eval_every,
                   "evaluate after every so many epochs, and after the last");
  arguments.option("--log", request.log, "the .csv file for one line per step");
  arguments.option("--report", request.page, "the .html file for a page with curves");
  arguments.option("--loss-every", request.loss_every,
                   "print MindSpore's line with the loss every so many steps");
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(train) {
  using namespace tessera::cli;
  return {
      .doc = "trains a model, new or with a checkpoint, and saves it",
      .examples = {"tessera train lenet5 --data mnist:DIR/train --epochs 10 --save out",
                   "tessera train lenet5 --weights lenet.ckpt --data mnist:DIR/train \\\n"
                   "      --optimizer 'adam(learning_rate=1e-4)' --eval-data mnist:DIR/test",
                   "tessera train resnet20 --data cifar10:DIR --batch 128 --ranks 2 --log run.csv"},
      .declare =
          [](Arguments& arguments) {
            const auto request = std::make_shared<Request>();
            request->model.declare(arguments);
            arguments.option("--weights", request->weights,
                             "checkpoint to begin with; without it parameters are new");
            request->rows.declare(arguments, true);
            arguments.flag("--drop-remainder", request->rows.drop_remainder,
                           "leave out a last batch that is smaller");
            declare_training(arguments, *request);
            request->ranks.declare(arguments);
            declare_result(arguments, *request);
            request->checkpoint.declare(arguments);
            request->common.declare(arguments);
            return [request] {
              request->model.resolve(request->weights, false,
                                     request->common.quiet || request->common.json);
              take_precision(*request);
              train(*request);
            };
          },
  };
}
