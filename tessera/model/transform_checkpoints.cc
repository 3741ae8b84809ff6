#include "tessera/model/transform_checkpoints.h"

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/reshard/destination_folder.h"
#include "tessera/reshard/ranks_needed.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

std::optional<Strategy> strategy_of(const fs::path& file) {
  if (file.empty()) return std::nullopt;
  const ErrorContext context([&] { return "reading " + printable(file.string()); });
  Strategy strategy = read_strategy(file);
  validate(strategy);
  return strategy;
}

/// The same; without a file what the folder's manifest says, if Tessera made it.
std::optional<Strategy> strategy_of(const fs::path& file, const fs::path& folder) {
  return file.empty() ? strategy_in(local_file_system(), folder) : strategy_of(file);
}

const Strategy* pointer(const std::optional<Strategy>& strategy) {
  return strategy ? &*strategy : nullptr;
}

std::vector<RankFile> files_in(const fs::path& folder, const std::string& pick,
                               const std::vector<std::string>& allow) {
  FindOptions options;
  options.pick = pick;
  options.allow = allow;
  if (!local_file_system().is_folder(folder))
    fail(ErrorCode::kNotFound, "{} is no folder", printable(folder.string()));
  const std::string source = folder.string();
  return find_rank_files({&source, 1}, options);
}

/// What only other pipeline stages want: the files for `rank` need not hold it.
std::vector<std::string> names_of_other_stages(const Strategy& strategy, Rank rank) {
  const int stage = rank / strategy.ranks_per_stage;
  std::vector<std::string> names;
  for (const ParameterLayout& one : strategy.parameters)
    if (one.stage != stage && strategy.find(one.name, stage) == nullptr) names.push_back(one.name);
  return names;
}

/// Of which ranks files are made, and how.
struct Wanted {
  std::vector<Rank> ranks;  // empty: of all
  ReshardOptions how;
};

/// From opened files to written ones.
ReshardReport transform(std::span<const RankFile> files, const std::optional<Strategy>& from,
                        const fs::path& to, const TransformOptions& options, Wanted wanted) {
  const std::optional<Strategy> into = strategy_of(options.dst_strategy_file);
  const std::vector<Rank>& ranks = wanted.ranks;
  if (into) wanted.how.layouts = to_string(*into);
  SourceOptions open;
  open.open.key = options.dec_key;
  open.open.allow = options.allow;
  open.threads = options.process_num;
  DestinationOptions place;
  place.allow = options.allow;
  if (into && !ranks.empty()) {
    for (const std::string& name : names_of_other_stages(*into, ranks[0])) {
      open.open.allow.push_back("missing_tensor:" + name);
      place.allow.push_back(name);
    }
  }
  const Source source = open_source(files, pointer(from), open);
  const Destination destination =
      into ? destination_of(source.catalog(), *into, place) : whole_destination(source.catalog());
  PlanOptions plan_options;
  plan_options.replicas = options.replicas;
  plan_options.threads = options.process_num;
  plan_options.ranks = ranks;
  const ReshardPlan plan = plan_reshard(source, destination, plan_options);
  verify(plan, source, destination);
  return reshard(source, destination, plan, to, wanted.how);
}

ReshardOptions reshard_options(const TransformOptions& options, std::string_view format) {
  ReshardOptions how;
  how.output = &find_output(format);
  require(!how.output->is_whole(),
          "the output format is '{}'; 'ckpt' or 'safetensors' is wanted for files per rank",
          printable(format));
  how.sync = options.sync;
  how.force = options.force;
  how.verify = options.verify;
  return how;
}

}  // namespace

std::vector<Rank> rank_list_for_transform(Rank rank, const fs::path& src_strategy_file,
                                          const fs::path& dst_strategy_file) {
  const std::optional<Strategy> from = strategy_of(src_strategy_file);
  const std::optional<Strategy> into = strategy_of(dst_strategy_file);
  std::vector<Rank> ranks = ranks_needed(pointer(from), pointer(into), rank);
  std::reverse(ranks.begin(), ranks.end());
  return ranks;
}

ReshardReport transform_checkpoint_by_rank(Rank rank,
                                           const std::map<Rank, fs::path>& checkpoint_files_map,
                                           const fs::path& save_checkpoint_file_name,
                                           const TransformOptions& options) {
  const std::string suffix = save_checkpoint_file_name.extension().string();
  require(suffix == ".ckpt" || suffix == ".safetensors",
          "the file to write is {}; a name that ends in .ckpt or .safetensors is wanted",
          printable(save_checkpoint_file_name.string()));
  require(options.output_format.empty() || "." + options.output_format == suffix,
          "the output format is '{}' but the file to write is {}", printable(options.output_format),
          printable(save_checkpoint_file_name.string()));
  std::vector<RankFile> files;
  for (const auto& [of, path] : checkpoint_files_map) files.push_back({of, path});
  return transform(files, strategy_of(options.src_strategy_file), save_checkpoint_file_name,
                   options, {{rank}, reshard_options(options, suffix.substr(1))});
}

ReshardReport transform_checkpoints(const fs::path& src_checkpoints_dir,
                                    const fs::path& dst_checkpoints_dir,
                                    const std::string& ckpt_prefix,
                                    const TransformOptions& options) {
  ReshardOptions how = reshard_options(
      options, options.output_format.empty() ? "ckpt" : std::string_view(options.output_format));
  how.prefix = ckpt_prefix;
  const std::vector<RankFile> files = files_in(src_checkpoints_dir, options.pick, options.allow);
  return transform(files, strategy_of(options.src_strategy_file, src_checkpoints_dir),
                   dst_checkpoints_dir, options, {{}, std::move(how)});
}

ReshardReport unified_safetensors(const fs::path& src_dir, const fs::path& src_strategy_file,
                                  const fs::path& dst_dir, const UnifyOptions& options) {
  const std::string pick =
      options.file_suffix.empty() ? "" : fmt::format("*{}.safetensors", options.file_suffix);
  const std::optional<Strategy> from = strategy_of(src_strategy_file, src_dir);
  SourceOptions open;
  open.open.allow = options.allow;
  open.except = {"accu_grads*"};
  open.threads = options.max_process_num;
  Source source = open_source(files_in(src_dir, pick, options.allow), pointer(from), open);
  Destination destination = whole_destination(source.catalog());
  if (options.choice_func) {
    std::vector<bool> is_left_out(source.catalog().records.size(), false);
    for (size_t r = 0; r < is_left_out.size(); ++r) {
      Record& record = source.checkpoint.catalog.records[r];
      const std::optional<std::string> name = options.choice_func(record.name);
      is_left_out[r] = !name;
      if (name) record.name = *name;
    }
    std::erase_if(destination.ranks[0],
                  [&](const Holding& holding) { return is_left_out[holding.record]; });
    index_records(source.checkpoint.catalog);
  }
  PlanOptions plan_options;
  plan_options.threads = options.max_process_num;
  const ReshardPlan plan = plan_reshard(source, destination, plan_options);
  verify(plan, source, destination);
  ReshardOptions how;
  how.output = &find_output("unified");
  how.sync = options.sync;
  how.force = options.force;
  how.verify = options.verify;
  return reshard(source, destination, plan, dst_dir, how);
}

}  // namespace tessera
