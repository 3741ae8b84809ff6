#include "cli/rank_options.h"

#include <algorithm>

#include "cli/word.h"
#include "tessera/base/parallel.h"
#include "tessera/base/text.h"
#include "tessera/model/layout_rules.h"

namespace tessera::cli {

void RankOptions::declare_placement(Arguments& arguments) {
  arguments.group("Ranks");
  arguments.option("--mesh", mesh,
                   "the grid of ranks: {dp=2,tp=4} or dp=2,tp=4; default: dp=RANKS, in "
                   "stages dp=RANKS/STAGES");
  arguments.option("--layouts", layouts,
                   "layouts.txt or strategy file: how parameters and inputs lie on the mesh");
  arguments.flag("--auto-parallel", auto_parallel,
                 "look for the placement that moves the fewest bytes");
  arguments.option("--memory-limit", memory_limit,
                   "the same in so much memory per rank: 512MiB, 1.5GiB");
  arguments.option("--stages", stages,
                   "pipeline stages, each on a --mesh of its own: 'conv*;fc1,fc*' are two, of "
                   "the layers whose names match");
}

void RankOptions::declare(Arguments& arguments) {
  declare_placement(arguments);
  arguments.option("--ranks", ranks,
                   "ranks that run the model together; default: what --mesh says");
  arguments.option("--from", from,
                   "strategy file: how --weights, a folder of rank_<i> files, was cut");
  arguments.option("--backend", backend,
                   "local (threads), mpi, or auto: mpi under mpirun, else local");
  arguments.option("--timeout", timeout, "seconds that a rank waits for another; 0: for ever");
}

bool RankOptions::is_placed() const {
  return !mesh.empty() || !layouts.empty() || !stages.empty() || search(1);
}

bool RankOptions::is_distributed() const {
  return ranks > 1 || is_placed() || backend == "mpi" || (backend == "auto" && is_under_mpirun());
}

namespace {

/// "{dp=2,tp=4}", also without its braces.
MeshPtr parse_mesh_option(const std::string& text) {
  if (text.empty()) return nullptr;
  return read_usage([&] { return parse_mesh(text.front() == '{' ? text : "{" + text + "}"); });
}

/// The patterns of each stage in "conv*;fc1,fc2".
std::vector<std::vector<std::string>> parse_stages(const std::string& text) {
  std::vector<std::vector<std::string>> stages;
  if (text.empty()) return stages;
  for (const std::string_view stage : split(text, ';')) {
    stages.emplace_back();
    for (const std::string_view pattern : split(stage, ',')) {
      require_usage(!trim(pattern).empty(),
                    "--stages is '{}'; wanted patterns of layers, such as 'conv*;fc1,fc2'",
                    printable(text));
      stages.back().emplace_back(trim(pattern));
    }
  }
  return stages;
}

}  // namespace

int RankOptions::rank_count() const {
  require_usage(ranks >= 0 && ranks <= 4096, "--ranks is {}; wanted 1 to 4096", ranks);
  if (ranks > 0) return static_cast<int>(ranks);
  const auto stage_count = std::max(1, static_cast<int>(parse_stages(stages).size()));
  if (const MeshPtr grid = parse_mesh_option(mesh)) return grid->rank_count() * stage_count;
  if (layouts.empty()) return stage_count;
  const Strategy rules = read_strategy(layouts);
  return rules.rank_count() * (rules.stage_count == 1 ? stage_count : 1);
}

PlaceOptions RankOptions::place(const ModelSpec& spec, const Shape& row_shape, int count) const {
  MeshPtr grid = parse_mesh_option(mesh);
  std::vector<std::vector<std::string>> patterns = parse_stages(stages);
  if (layouts.empty()) return {.mesh = std::move(grid), .stages = std::move(patterns)};
  const Strategy rules = read_strategy(layouts);
  const ErrorContext context([&] { return "reading " + printable(layouts); });
  check_rules(rules, trace(spec, 1, row_shape));
  const auto stage_count = std::max(1, static_cast<int>(patterns.size()));
  require(rules.stage_count == 1 || rules.stage_count == stage_count,
          "the layouts are of {} stages, --stages names {}", rules.stage_count, patterns.size());
  // Layouts that know of no stages are those of each.
  require(count % stage_count == 0, "{} ranks are no {} stages of equally many", count,
          stage_count);
  PlaceOptions place =
      place_by(rules, rules.stage_count == 1 ? count / stage_count : count, std::move(grid));
  place.stages = std::move(patterns);
  return place;
}

std::optional<SearchOptions> RankOptions::search(int64_t rows) const {
  if (!auto_parallel && memory_limit.empty()) return std::nullopt;
  SearchOptions wanted{.rows = rows};
  if (memory_limit.empty()) return wanted;
  const uint64_t bytes = read_usage([&] { return parse_bytes(memory_limit); });
  require_usage(bytes > 0 && bytes <= uint64_t{1} << 50,
                "--memory-limit is {}; wanted 1 B to 1 PiB", memory_limit);
  wanted.memory_limit = static_cast<int64_t>(bytes);
  return wanted;
}

RunOptions RankOptions::run_options(RunOptions run, Communicator* world, const ModelSpec& spec,
                                    int64_t rows, const Shape& row_shape) const {
  if (world == nullptr) return run;
  const auto machines = world->machines();
  const auto here =
      std::count(machines.begin(), machines.end(), machines[static_cast<size_t>(world->rank())]);
  const int threads = run.threads > 0 ? run.threads : default_thread_count();
  run.threads = std::max(1, threads / static_cast<int>(here));
  run.world = world;
  run.place = place(spec, row_shape, world->size());
  run.search = search(rows);
  return run;
}

void RankOptions::run(const std::function<void(Communicator*)>& body) const {
  require_usage(backend == "auto" || backend == "local" || backend == "mpi",
                "--backend is '{}'; there are auto, local, mpi", printable(backend));
  const auto seconds = parse_int(timeout);
  require_usage(seconds && *seconds >= 0, "--timeout is '{}'; wanted seconds", printable(timeout));
  if (!is_distributed()) return body(nullptr);
  WorldOptions world;
  world.timeout_seconds = static_cast<double>(*seconds);
  const bool mpi = backend == "mpi" || (backend == "auto" && is_under_mpirun());
  world.backend = mpi ? "mpi" : "local";
  world.ranks = mpi && ranks == 0 && mesh.empty() && layouts.empty() ? 0 : rank_count();
  run_world(world, [&](Communicator& ranks_of_job) { body(&ranks_of_job); });
}

}  // namespace tessera::cli
