#include "cli/reshard_options.h"

#include "cli/word.h"
#include "tessera/base/text.h"
#include "tessera/reshard/destination_folder.h"

namespace tessera::cli {

void ShardOptions::declare(Arguments& arguments) {
  arguments.positionals("source", sources,
                        "a folder with rank_<i> folders, a pattern in quotes, or the files in the "
                        "order of the ranks");
  arguments.option("--from", from,
                   "how the source is cut: a MindSpore strategy file or a layouts.txt; not "
                   "needed for what tessera itself wrote");
  declare_reading(arguments);
}

void ShardOptions::declare_reading(Arguments& arguments) {
  arguments.option("--pick", pick,
                   "of several files of a rank, the one with this name (a pattern)");
  arguments.options("--except", except, "names of tensors to leave out, a pattern; repeatable");
  arguments.flag("--interleave-fields", interleave_fields,
                 "put multi-field embeddings together field by field");
  checkpoint.declare(arguments, false);
}

Source ShardOptions::open(int threads) const {
  FindOptions find;
  find.pick = pick;
  find.allow = checkpoint.allow;
  const std::vector<RankFile> files = find_rank_files(sources, find);
  SourceOptions options;
  options.open = checkpoint.open_options();
  options.renaming = checkpoint.match_options().renaming;
  options.prefix = checkpoint.prefix;
  options.except = except;
  options.interleave_fields = interleave_fields;
  options.threads = threads;
  std::optional<Strategy> strategy;
  if (!from.empty()) {
    strategy = read_strategy(from);
    validate(*strategy);  // that no pipeline stage is missing
  } else if (sources.size() == 1) {
    strategy = strategy_in(local_file_system(), sources[0]);
  }
  Source source = open_source(files, strategy ? &*strategy : nullptr, options);
  for (const std::string& pattern : source.unmatched)
    fail(ErrorCode::kNotFound, "'--except {}' matches no name", printable(pattern));
  return source;
}

void StreamOptions::declare(Arguments& arguments) {
  arguments.option("--memory", memory, "bound of the memory for staging, such as 64MiB");
  arguments.flag("--check-replicas", check_replicas,
                 "read and compare all replicas, not only those in files that are read anyway");
  arguments.flag("--no-check-replicas", no_check_replicas, "compare none");
}

PlanOptions StreamOptions::plan_options(int threads) const {
  PlanOptions options;
  require_usage(!check_replicas || !no_check_replicas,
                "--check-replicas and --no-check-replicas do not go together");
  if (check_replicas) options.replicas = ReplicaCheck::kAll;
  if (no_check_replicas) options.replicas = ReplicaCheck::kNone;
  options.memory = read_usage([&] { return parse_bytes(memory); });
  require_usage(options.memory >= uint64_t{1} << 20, "--memory is {}; at least 1MiB is wanted",
                memory);
  options.threads = threads;
  return options;
}

void ReshardRequest::declare(Arguments& arguments) {
  shards.declare(arguments);
  arguments.option("--to", to, "how the result is cut: a strategy file or a layouts.txt");
  arguments.flag("--whole", is_whole, "one rank with everything");
  arguments.option("--rank", rank, "make the file of this rank only");
  stream.declare(arguments);
  common.declare(arguments);
}

PlanOptions ReshardRequest::plan_options() const {
  PlanOptions options = stream.plan_options(common.thread_count());
  require_usage(rank == kAllRanks || (rank >= 0 && rank < 1 << 24),
                "--rank is {}; a rank counts from 0", rank);
  if (rank != kAllRanks) options.ranks = {static_cast<Rank>(rank)};
  return options;
}

Destination ReshardRequest::destination(const Source& source, std::string& layouts) const {
  require_usage(!is_whole || to.empty(), "--to and --whole do not go together");
  require_usage(is_whole || !to.empty(),
                "say where to: --to STRATEGY, or --whole for one rank with everything");
  if (is_whole) return whole_destination(source.catalog());
  const Strategy strategy = read_strategy(to);
  validate(strategy);
  layouts = to_string(strategy);
  DestinationOptions options;
  options.interleave_fields = shards.interleave_fields;
  options.allow = shards.checkpoint.allow;
  return destination_of(source.catalog(), strategy, options);
}

}  // namespace tessera::cli
