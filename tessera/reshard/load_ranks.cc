#include "tessera/reshard/load_ranks.h"

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/parallel.h"
#include "tessera/base/stopwatch.h"
#include "tessera/base/text.h"
#include "tessera/reshard/internal/read_rounds.h"
#include "tessera/reshard/internal/seen_files.h"

namespace tessera {
namespace {

/// What all ranks must be told alike, as text.
std::string describe_arguments(const Strategy* train, std::span<const WantedParameter> wanted,
                               const LoadRanksOptions& options) {
  std::string text = train == nullptr ? "no train strategy\n" : to_string(*train);
  for (const auto& [parameter, layout] : wanted)
    text += fmt::format("{} {}{} {}\n", parameter.name, to_string(parameter.dtype),
                        to_string(parameter.shape), to_string(layout));
  text += fmt::format("crc {}, replicas {}, sharing {}, rounds of {} bytes\n",
                      static_cast<int>(options.open.crc), static_cast<int>(options.replicas),
                      static_cast<int>(options.assign.sharing), options.assign.round_bytes);
  text += fmt::format("{} prefix '{}', allow '{}' '{}'\n",
                      options.match.lenient ? "lenient" : "strict", options.match.prefix,
                      join(options.match.allow, "' '"), join(options.open.allow, "' '"));
  const NameMap& map = options.match.renaming;
  if (!map.empty()) text += fmt::format("map {} {}\n", map.pytorch, map.whole);
  for (const Renaming& one : map.rules)
    text += fmt::format("rename {}={}\n", one.pattern, one.replacement);
  return text;
}

void check_wanted(std::span<const WantedParameter> wanted, int ranks) {
  for (const WantedParameter& one : wanted) {
    const NetworkParameter& parameter = one.parameter;
    const Layout& layout = one.layout;
    const ErrorContext context([&] {
      return fmt::format("placing '{}' {}{} as {}", printable(parameter.name),
                         to_string(parameter.dtype), to_string(parameter.shape), to_string(layout));
    });
    validate(layout, parameter.shape.size());
    require(layout.partial.empty(), "a parameter cannot be loaded as partial values");
    for (int place = 0; place < layout.mesh->rank_count(); ++place)
      require(layout.mesh->rank_at(place) < ranks, "the mesh has rank {} but the job {} ranks",
              layout.mesh->rank_at(place), ranks);
  }
}

/// What the ranks hold of the stored tensors, in catalog order. `parameters[rank][i]` becomes the
/// index in `matches` of holding i.
class JobDestination {
 public:
  JobDestination(const Catalog& catalog, std::span<const WantedParameter> wanted,
                 std::span<const ParameterMatch> matches, int ranks)
      : catalog_(catalog), wanted_(wanted) {
    destination_.ranks.resize(static_cast<size_t>(ranks));
    matches_.resize(static_cast<size_t>(ranks));
    std::vector<uint32_t> order(matches.size());
    for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return matches[a].record < matches[b].record; });
    for (const uint32_t i : order) add(matches[i], i);
  }

  const Destination& destination() const { return destination_; }
  std::span<const uint32_t> matches_of(Rank rank) const {
    return matches_[static_cast<size_t>(rank)];
  }

 private:
  void add(const ParameterMatch& match, uint32_t number) {
    const auto& [parameter, layout] = wanted_[match.parameter];
    const Shape& stored = catalog_.records[match.record].shape;
    for (int place = 0; place < layout.mesh->rank_count(); ++place) {
      const Rank rank = layout.mesh->rank_at(place);
      Box box = local_box(layout, parameter.shape, rank);
      while (box.size.size() < stored.size()) {  // further dims of 1: MatchOptions::lenient
        box.begin.push_back(0);
        box.size.push_back(1);
      }
      destination_.ranks[static_cast<size_t>(rank)].push_back(
          {static_cast<uint32_t>(match.record), number_of(std::move(box))});
      matches_[static_cast<size_t>(rank)].push_back(number);
    }
  }

  uint32_t number_of(Box box) {
    const auto [known, is_new] =
        numbers_.try_emplace(to_string(box), static_cast<uint32_t>(destination_.slices.size()));
    if (is_new) destination_.slices.push_back({std::move(box)});
    return known->second;
  }

  const Catalog& catalog_;
  std::span<const WantedParameter> wanted_;
  Destination destination_;
  std::vector<std::vector<uint32_t>> matches_;  // by rank and holding
  std::map<std::string, uint32_t> numbers_;
};

/// Each rank's share of its machine's processors.
int threads_of(const Communicator& world, int wanted) {
  if (wanted > 0) return wanted;
  const std::span<const int> machines = world.machines();
  const auto here =
      std::count(machines.begin(), machines.end(), machines[static_cast<size_t>(world.rank())]);
  return std::max(1, default_thread_count() / static_cast<int>(here));
}

std::vector<bool> files_read_by(Rank rank, const ReadPlan& reads, const Source& source) {
  std::vector<bool> is_read(source.catalog().files.size(), false);
  for (const RankRead& read : reads.reads)
    if (read.reader == rank)
      is_read[static_cast<size_t>(source.catalog().records[read.record].pieces[read.piece].file)] =
          true;
  return is_read;
}

std::vector<std::string> notes_of(const Source& source, const MatchReport& match,
                                  const LoadRanksOptions& options) {
  std::vector<std::string> notes = source.notes;
  const Catalog& catalog = source.catalog();
  notes.insert(notes.end(), catalog.deviations.begin(), catalog.deviations.end());
  notes.insert(notes.end(), match.notes.begin(), match.notes.end());
  if (std::any_of(catalog.files.begin(), catalog.files.end(),
                  [](const CatalogFile& file) { return file.crc == CrcState::kPresent; }))
    notes.push_back("a file carries a CRC that was not checked");
  if (options.replicas == ReplicaCheck::kNone && catalog.files.size() > 1)
    notes.push_back("replicas were not compared");
  return notes;
}

}  // namespace

LoadedRank load_ranks(Communicator& world, std::span<const RankFile> files, const Strategy* train,
                      std::span<const WantedParameter> wanted, const LoadRanksOptions& options) {
  const Stopwatch watch;
  require_agreement(world, "arguments of loading", describe_arguments(train, wanted, options));
  check_wanted(wanted, world.size());
  const int threads = threads_of(world, options.threads);
  internal::SeenFiles seen(world, files, options.open, threads);
  SourceOptions source_options;
  source_options.open = options.open;
  source_options.interleave_fields = true;
  source_options.threads = threads;
  Source source = seen.make_source(train, source_options);

  LoadedRank loaded;
  std::vector<NetworkParameter> parameters;
  for (const WantedParameter& one : wanted) parameters.push_back(one.parameter);
  loaded.match = match_parameters(parameters, source.catalog(), options.match);
  const JobDestination job(source.catalog(), wanted, loaded.match.matches, world.size());
  PlanOptions plan_options;
  plan_options.replicas = options.replicas;
  plan_options.threads = threads;
  const ReshardPlan plan = plan_reshard(source, job.destination(), plan_options);
  verify(plan, source, job.destination());
  const ReadPlan reads =
      assign_readers(plan, source, job.destination(), seen.view(), options.assign);
  verify(reads, plan, source, job.destination(), seen.view());
  seen.open_for_reading(source, files_read_by(world.rank(), reads, source));

  std::vector<Tensor> tensors =
      internal::ReadRounds(world, {source, job.destination(), plan, reads}, threads).run();
  for (size_t i = 0; i < tensors.size(); ++i) {
    const ParameterMatch& match = loaded.match.matches[job.matches_of(world.rank())[i]];
    const auto& [parameter, layout] = wanted[match.parameter];
    const Shape shape = local_box(layout, parameter.shape, world.rank()).size;
    loaded.tensors[parameter.name] =
        fit(std::move(tensors[i]), match, {parameter.name, parameter.dtype, shape});
  }
  loaded.ranks = reads.ranks;
  loaded.bytes_compared = reads.bytes_compared;
  loaded.rounds = reads.round_count();
  loaded.notes = notes_of(source, loaded.match, options);
  loaded.seconds = watch.seconds();
  return loaded;
}

std::string to_string(const LoadedRank& loaded) {
  const RankTraffic all = total(loaded.ranks);
  return fmt::format("loaded in {:.3f} s: {} read{}, {} sent in {} rounds, {} held\n",
                     loaded.seconds, human_bytes(all.read),
                     loaded.bytes_compared > 0 ? fmt::format(" ({} of it replicas to compare)",
                                                             human_bytes(loaded.bytes_compared))
                                               : std::string(),
                     human_bytes(all.sent), loaded.rounds, human_bytes(all.held)) +
         traffic_lines(loaded.ranks);
}

}  // namespace tessera
