#include "tessera/model/auto_parallel_context.h"

#include <fmt/format.h>

#include <algorithm>

#include "tessera/base/text.h"
#include "tessera/checkpoint/strategy.h"
#include "tessera/io/json.h"
#include "tessera/model/internal/context_key.h"
#include "tessera/model/predict_layout.h"
#include "tessera/passes/operator_strategy.h"
#include "tessera/passes/search.h"

namespace tessera {
namespace {

using internal::to_bool;
using internal::to_number;

constexpr int kMostDevices = 4096;
constexpr int kSunkBatches = 4;

ParallelMode to_mode(std::string_view text) {
  if (text == "stand_alone") return ParallelMode::kStandAlone;
  if (text == "data_parallel") return ParallelMode::kDataParallel;
  if (text == "semi_auto_parallel") return ParallelMode::kSemiAutoParallel;
  if (text == "auto_parallel") return ParallelMode::kAutoParallel;
  if (text == "hybrid_parallel")
    fail(ErrorCode::kUnsupported,
         "hybrid_parallel is refused: it leaves all collectives to the network's author; "
         "semi_auto_parallel with shard() says the same cuts");
  fail(ErrorCode::kInvalidArgument,
       "'{}' is no mode; wanted stand_alone, data_parallel, semi_auto_parallel or auto_parallel",
       printable(text));
}

void set_search_mode(AutoParallelContext& context, std::string_view text) {
  require(text == "recursive_programming" || text == "dynamic_programming" ||
              text == "sharding_propagation",
          "'{}' is no search mode; wanted recursive_programming, dynamic_programming or "
          "sharding_propagation",
          printable(text));
  context.search_mode = text;
}

void set_dataset_strategy(AutoParallelContext& context, std::string_view text) {
  if (text == "full_batch" || text == "data_parallel") {
    context.full_batch = text == "full_batch";
    context.dataset_strategy.clear();
    return;
  }
  context.dataset_strategy = parse_pieces(text);
  require(!context.dataset_strategy.empty(), "there is no tuple; wanted one per input");
  for (const std::vector<int>& tuple : context.dataset_strategy)
    for (const int pieces : tuple) require(pieces >= 1, "{} pieces; wanted 1 or more", pieces);
  context.full_batch = false;
}

/// For a dictionary with another key than it may have.
[[noreturn]] void fail_unknown(std::string_view key, const std::vector<std::string>& known) {
  fail(ErrorCode::kNotFound, "there is no '{}'{}", printable(key), suggest(key, known));
}

void set_strategy_files(AutoParallelContext& context, std::string_view text) {
  const Json files = parse_json(text);
  for (const auto& [key, value] : files.members()) {
    if (key == "load_file") {
      context.strategy_ckpt_load_file = value.as_string();
    } else if (key == "save_file") {
      context.strategy_ckpt_save_file = value.as_string();
    } else if (key == "only_trainable_params") {
      context.only_trainable_params = value.as_bool();
    } else {
      fail_unknown(key, {"load_file", "save_file", "only_trainable_params"});
    }
  }
}

using Key = internal::ContextKey<AutoParallelContext>;
constexpr std::string_view kDebugging = "inspect and the training log tell of tensors";
constexpr std::string_view kPlanned = "collectives are placed one by one, as the plans say";
constexpr int kMostKiB = 1 << 30;
constexpr int kMostBatches = 1 << 20;

/// A Python dictionary of numbers and truths as JSON.
std::string json_of(std::string_view python) {
  std::string text(python);
  std::replace(text.begin(), text.end(), '\'', '"');
  for (const auto& [word, json] : {std::pair("True", "true"), std::pair("False", "false")})
    for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at))
      text.replace(at, std::string_view(word).size(), json);
  return text;
}

void set_parallel_optimizer(AutoParallelContext& context, std::string_view text) {
  ParallelOptimizer& config = context.parallel_optimizer_config;
  const Json values = parse_json(json_of(text));
  for (const auto& [key, value] : values.members()) {
    if (key == "gradient_accumulation_shard") {
      config.gradient_accumulation_shard = value.as_bool();
    } else if (key == "parallel_optimizer_threshold") {
      config.parallel_optimizer_threshold = to_number(std::to_string(value.as_int()), 0, kMostKiB);
    } else if (key == "optimizer_weight_shard_size") {
      const int64_t ranks = value.as_int();
      config.optimizer_weight_shard_size =
          ranks == -1 ? -1 : to_number(std::to_string(ranks), 1, kMostDevices);
    } else {
      fail_unknown(key, {"gradient_accumulation_shard", "parallel_optimizer_threshold",
                         "optimizer_weight_shard_size"});
    }
  }
}

const std::vector<Key>& keys() {
  using Context = AutoParallelContext;
  using Text = std::string_view;
  static const std::vector<Key> table = {
      {"parallel_mode", [](Context& c, Text t) { c.parallel_mode = to_mode(t); }},
      {"device_num", [](Context& c, Text t) { c.device_num = to_number(t, 1, kMostDevices); }},
      {"global_rank",
       [](Context& c, Text t) { c.global_rank = to_number(t, 0, kMostDevices - 1); }},
      {"full_batch",
       [](Context& c, Text t) {
         c.full_batch = to_bool(t);
         c.dataset_strategy.clear();
       }},
      {"dataset_strategy", set_dataset_strategy},
      {"strategy_ckpt_load_file", [](Context& c, Text t) { c.strategy_ckpt_load_file = t; }},
      {"strategy_ckpt_save_file", [](Context& c, Text t) { c.strategy_ckpt_save_file = t; }},
      {"strategy_ckpt_config", set_strategy_files},
      {"pipeline_stages",
       [](Context& c, Text t) { c.pipeline_stages = to_number(t, 1, kMostDevices); }},
      {"search_mode", set_search_mode},
      {"auto_parallel_search_mode", set_search_mode},
      // Plans may use all_to_all, and all ranks get the outputs, whatever these say.
      {"enable_alltoall", [](Context&, Text t) { to_bool(t); }},
      {"pipeline_result_broadcast", [](Context&, Text t) { to_bool(t); }},
      {"enable_parallel_optimizer",
       [](Context& c, Text t) { c.enable_parallel_optimizer = to_bool(t); }},
      {"parallel_optimizer_config", set_parallel_optimizer},
      {"gradients_mean", [](Context& c, Text t) { c.gradients_mean = to_bool(t); }},
      {"grad_accumulation_step",
       [](Context& c, Text t) { c.grad_accumulation_step = to_number(t, 1, kMostBatches); }},
      {"gradient_fp32_sync", nullptr, "True",
       "gradients are summed in f32 in any case and sent as they are"},
      {"loss_repeated_mean", nullptr, "True",
       "the loss is one number, however many ranks have it, and so are its gradients"},
      {"parameter_broadcast", nullptr, "False",
       "all ranks load their parameters from the same files, each byte once"},
      {"all_reduce_fusion_config", nullptr, "[]", kPlanned},
      {"comm_fusion", nullptr, "{}", kPlanned},
      {"pipeline_config", nullptr, "{}",
       "training runs 1F1B without interleaving, predicting one batch at a time"},
      {"auto_pipeline", nullptr, "False", "stage_scopes says which scopes are of which stage"},
      {"force_fp32_communication", nullptr, "False",
       "f16 and bf16 are summed in f32 in any case and sent as they are"},
      {"group_ckpt_save_file", nullptr, "",
       "get_parameter_redundancy says which ranks hold equal slices"},
      {"dump_local_norm", nullptr, "False", kDebugging},
      {"dump_local_norm_path", nullptr, "", kDebugging},
      {"dump_device_local_norm", nullptr, "False", kDebugging},
  };
  return table;
}

bool has_strategies(const AutoParallelContext& context) {
  return context.parallel_mode == ParallelMode::kSemiAutoParallel ||
         context.parallel_mode == ParallelMode::kAutoParallel;
}

/// Whether a parameter of a strategy is optimizer state: "moments.fc1.weight" of "fc1.weight".
bool is_state_of(std::string_view name, const std::vector<std::string>& parameters) {
  return std::any_of(parameters.begin(), parameters.end(), [&](const std::string& parameter) {
    return name.size() > parameter.size() + 1 && name.ends_with(parameter) &&
           name[name.size() - parameter.size() - 1] == '.';
  });
}

/// Throws kNotFound where a strategy is of another network.
void check_parameters(const Strategy& strategy, const Graph& graph) {
  std::vector<std::string> names;
  for (const ValueId id : graph.parameters)
    names.push_back(graph.values[static_cast<size_t>(id)].name);
  for (const ParameterLayout& one : strategy.parameters)
    if (std::find(names.begin(), names.end(), one.name) == names.end() &&
        !is_state_of(one.name, names))
      fail(ErrorCode::kNotFound,
           "the strategy names the parameter '{}', which the network has not{}: is it a strategy "
           "file of another net?",
           printable(one.name), suggest(one.name, names));
}

std::function<void(Graph&)> sharding_by(const std::filesystem::path& path) {
  const Strategy strategy = read_strategy(path);
  require(!strategy.operators.empty(),
          "strategy_ckpt_load_file {} has {} but no strategies of operators; layouts of parameters "
          "alone are for place_by",
          path.string(), strategy.format);
  std::vector<OperatorPieces> operators;
  for (const OperatorStrategy& op : strategy.operators)
    operators.push_back({op.name, op.stage, op.operands});
  return [strategy, operators, path](Graph& graph) {
    const ErrorContext context([&] { return fmt::format("sharding by {}", path.string()); });
    shard_operators(graph, operators);
    check_parameters(strategy, graph);
  };
}

bool is_searched(const AutoParallelContext& context) {
  return context.parallel_mode == ParallelMode::kAutoParallel &&
         context.search_mode != "sharding_propagation";
}

PlaceOptions place_options(const AutoParallelContext& context) {
  const int ranks = rank_count(context) / context.pipeline_stages;
  PlaceOptions place;
  if (context.parallel_mode == ParallelMode::kDataParallel) {
    place.mesh = make_mesh({{"dp", ranks}});
    return place;
  }
  place.mesh = is_searched(context) ? search_mesh(ranks) : make_mesh({{"d0", ranks}});
  if (context.parallel_mode == ParallelMode::kSemiAutoParallel) place.mode = PlaceMode::kMindSpore;
  place.input_pieces = context.dataset_strategy;
  if (place.input_pieces.empty()) place.input_pieces = {{context.full_batch ? 1 : ranks}};
  if (context.pipeline_stages > 1) place.stages = context.stage_scopes;
  return place;
}

/// What predictions have nothing of, and what MindSpore's modes make of it in training.
void check_training(const AutoParallelContext& context, bool trains) {
  const auto refuse = [&](bool is_set, std::string_view name, std::string_view why) {
    if (is_set) fail(ErrorCode::kUnsupported, "{} is refused: {}", name, why);
  };
  if (trains) {
    refuse(context.gradients_mean && has_strategies(context), "gradients_mean",
           "in semi_auto_parallel and auto_parallel the loss is the mean over the batch of all "
           "ranks, and gradients are of that already: it would divide them once more");
    return;
  }
  refuse(context.enable_parallel_optimizer, "enable_parallel_optimizer",
         "a network that predicts has no optimizer to cut; checkpoints that were saved so are "
         "read, and to train there is training_run_options");
  constexpr std::string_view kTraining =
      "it is of training, and these options are of predictions; to train there is "
      "training_run_options";
  refuse(context.gradients_mean, "gradients_mean", kTraining);
  refuse(context.grad_accumulation_step != 1, "grad_accumulation_step", kTraining);
}

}  // namespace

void AutoParallelContext::set(std::string_view key, std::string_view text) {
  internal::set_by_key<AutoParallelContext>(keys(), *this, key, trim(text));
}

int rank_count(const AutoParallelContext& context) {
  return context.device_num.value_or(1);
}

void validate(const AutoParallelContext& context, bool trains) {
  const int ranks = rank_count(context);
  require(ranks >= 1 && ranks <= kMostDevices, "device_num is {}; wanted 1 to {}", ranks,
          kMostDevices);
  const int rank = context.global_rank.value_or(0);
  require(rank >= 0 && rank < ranks, "global_rank is {}, but device_num is {}", rank, ranks);
  require(context.pipeline_stages >= 1 && ranks % context.pipeline_stages == 0,
          "pipeline_stages is {}, which does not divide device_num {}", context.pipeline_stages,
          ranks);
  check_training(context, trains);
  require(context.memory_limit >= 0, "memory_limit is {}; wanted 0 or more bytes",
          context.memory_limit);
  require(context.memory_limit == 0 || is_searched(context),
          "memory_limit is for auto_parallel, which looks for a placement that fits; "
          "sharding_propagation does not");
  require(!context.full_batch || context.dataset_strategy.empty(),
          "full_batch and a dataset_strategy of tuples contradict each other: give one");
  if (has_strategies(context)) {
    require(
        context.pipeline_stages == 1 || std::ssize(context.stage_scopes) == context.pipeline_stages,
        "pipeline_stages is {}, but stage_scopes says what is in {} of them",
        context.pipeline_stages, context.stage_scopes.size());
    return;
  }
  const bool alone = context.parallel_mode == ParallelMode::kStandAlone;
  const std::string_view mode = alone ? "stand_alone" : "data_parallel";
  require(!alone || ranks == 1, "parallel_mode is stand_alone, but device_num is {}", ranks);
  const auto refuse = [&](bool is_set, std::string_view name) {
    require(!is_set, "{} has no meaning in {}; wanted semi_auto_parallel or auto_parallel", name,
            mode);
  };
  refuse(context.full_batch, "full_batch");
  refuse(!context.dataset_strategy.empty(), "a dataset_strategy of tuples");
  refuse(!context.strategy_ckpt_load_file.empty(), "strategy_ckpt_load_file");
  refuse(!context.strategy_ckpt_save_file.empty(), "strategy_ckpt_save_file");
  refuse(context.pipeline_stages > 1, "pipeline_stages above 1");
}

RunOptions run_options(const AutoParallelContext& context, bool trains) {
  validate(context, trains);
  RunOptions options;
  if (context.parallel_mode == ParallelMode::kStandAlone) return options;
  options.place = place_options(context);
  if (is_searched(context))
    options.search = SearchOptions{.memory_limit = context.memory_limit,
                                   .counts_outputs = context.search_mode == "dynamic_programming",
                                   .as_pieces = true};
  if (!context.strategy_ckpt_load_file.empty())
    options.shard_operators = sharding_by(context.strategy_ckpt_load_file);
  if (!context.strategy_ckpt_save_file.empty())
    options.on_first_program = [context](const Placed& placed) { save_strategy(placed, context); };
  return options;
}

RunOptions run_options(const AutoParallelContext& context, Communicator& world, bool trains) {
  if (context.parallel_mode == ParallelMode::kStandAlone) return run_options(context, trains);
  AutoParallelContext mine = context;
  if (!mine.device_num) mine.device_num = world.size();
  if (!mine.global_rank) mine.global_rank = world.rank();
  require(mine.device_num == world.size(), "device_num is {}, but {} ranks run", *mine.device_num,
          world.size());
  require(mine.global_rank == world.rank(), "global_rank is {}, but this is rank {}",
          *mine.global_rank, world.rank());
  RunOptions options = run_options(mine, trains);
  options.world = &world;
  return options;
}

int prefetch_batches(bool dataset_sink_mode, int64_t sink_size) {
  require(sink_size == -1 || sink_size >= 1, "sink_size is {}; wanted -1, or 1 and more",
          sink_size);
  if (!dataset_sink_mode) return 0;
  return sink_size == -1 ? kSunkBatches
                         : static_cast<int>(std::min<int64_t>(sink_size, kSunkBatches));
}

}  // namespace tessera
