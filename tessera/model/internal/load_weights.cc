#include "tessera/model/internal/load_weights.h"

#include <optional>

#include "tessera/base/stopwatch.h"
#include "tessera/base/text.h"
#include "tessera/model/spread.h"
#include "tessera/reshard/load_ranks.h"

namespace tessera::internal {
namespace {

/// Files of many ranks are no checkpoint without the strategy that cut it.
void check_single(const std::filesystem::path& path) {
  if (path.string().find_first_of("*?") != std::string::npos && !std::filesystem::exists(path))
    fail(ErrorCode::kNotFound,
         "there is no file '{}'; as a pattern of the files of many ranks it needs the strategy "
         "file (--from), which says how they are cut",
         printable(path.string()));
}

std::vector<RankFile> files_of(const ModelSource& source, int ranks) {
  std::vector<RankFile> files;
  std::vector<std::string> paths;
  for (const auto& path : source.weights) {
    if (source.strategy.empty()) check_single(path);
    files.push_back({0, path});
    paths.push_back(path.string());
  }
  if (source.strategy.empty()) return files;  // parts of one checkpoint
  FindOptions find;
  find.offers_pick = false;
  find.allow = source.match.allow;
  find.files = source.open.files;
  find.may_be_absent = ranks > 1;  // another rank may see what is not there
  return find_rank_files(paths, find);
}

/// Where each parameter is wanted.
std::vector<WantedParameter> wanted_of(const std::vector<NetworkParameter>& parameters,
                                       const Spread* spread) {
  std::vector<WantedParameter> wanted;
  for (const NetworkParameter& parameter : parameters) {
    static const MeshPtr kAlone = make_mesh({{"all", 1}});
    wanted.push_back({parameter, spread == nullptr ? replicated(kAlone, parameter.shape.size())
                                                   : *spread->layout(parameter.name)});
  }
  return wanted;
}

void load_parts(Communicator& world, const ModelSource& source,
                const std::vector<WantedParameter>& wanted, Weights& weights,
                LoadSummary& summary) {
  const std::optional<Strategy> train =
      source.strategy.empty() ? std::nullopt : std::optional(read_strategy(source.strategy));
  LoadRanksOptions options;
  options.open = source.open;
  options.match = source.match;
  options.threads = source.load.threads;
  LoadedRank loaded =
      load_ranks(world, files_of(source, world.size()), train ? &*train : nullptr, wanted, options);
  weights = std::move(loaded.tensors);
  summary.not_used = std::move(loaded.match.not_used);
  summary.not_loaded = std::move(loaded.match.not_loaded);
  summary.notes = std::move(loaded.notes);
  summary.ranks = std::move(loaded.ranks);
}

void load_whole(const ModelSource& source, const std::vector<NetworkParameter>& parameters,
                Weights& weights, LoadSummary& summary) {
  for (const auto& path : source.weights) check_single(path);
  const Checkpoint checkpoint = open_checkpoint(source.weights, source.open);
  const MatchReport report = match_parameters(parameters, checkpoint.catalog, source.match);
  require(!report.matches.empty() || !source.match.allow.empty(),
          "nothing that the file holds fills a parameter of the network{}",
          parameters.empty() ? "" : suggest(parameters.front().name, checkpoint.catalog.names()));
  std::vector<Tensor> tensors = load_parameters(checkpoint, parameters, report, source.load);
  for (size_t i = 0; i < parameters.size(); ++i)
    if (tensors[i].is_defined()) weights.emplace(parameters[i].name, std::move(tensors[i]));
  summary.not_used = report.not_used;
  summary.not_loaded = report.not_loaded;
  summary.notes = report.notes;
  const auto& deviations = checkpoint.catalog.deviations;
  summary.notes.insert(summary.notes.end(), deviations.begin(), deviations.end());
  for (const CatalogFile& file : checkpoint.catalog.files)
    summary.unchecked_crc |= file.crc == CrcState::kPresent;
}

}  // namespace

std::vector<NetworkParameter> parameters_of(const Graph& network) {
  std::vector<NetworkParameter> parameters;
  for (const ValueId id : network.parameters) {
    const ValueInfo& value = network.values[static_cast<size_t>(id)];
    parameters.push_back({value.name, value.dtype, value.shape});
  }
  return parameters;
}

Weights load_weights(const ModelSource& source, const Graph& network, const Spread* spread,
                     LoadSummary& summary) {
  Weights weights;
  const std::vector<NetworkParameter> parameters = parameters_of(network);
  const std::vector<WantedParameter> wanted = wanted_of(parameters, spread);
  const Stopwatch watch;
  if (!source.weights.empty()) {
    const ErrorContext context([&] {
      return fmt::format("loading the parameters of {} from {}", source.model,
                         source.weights.front().string());
    });
    if (spread != nullptr) {
      load_parts(spread->world(), source, wanted, weights, summary);
    } else if (!source.strategy.empty()) {
      run_world({.backend = "single"},
                [&](Communicator& world) { load_parts(world, source, wanted, weights, summary); });
    } else {
      load_whole(source, parameters, weights, summary);
    }
  }
  const Rank rank = spread == nullptr ? 0 : spread->world().rank();
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto& [parameter, layout] = wanted[i];
    if (!layout.mesh->find_place(rank)) continue;
    auto [it, is_new] = weights.try_emplace(parameter.name);
    if (!is_new) {
      summary.bytes += static_cast<uint64_t>(it->second.byte_count());
      continue;
    }
    const auto value = static_cast<size_t>(network.parameters[i]);
    it->second = sample(network.values[value].initial, RandomStream(source.seed, parameter.name),
                        {parameter.dtype, parameter.shape},
                        local_box(layout, parameter.shape, rank), source.load.threads);
  }
  summary.seconds = watch.seconds();
  return weights;
}

Weights load_wanted(const ModelSource& source, const std::vector<WantedParameter>& wanted,
                    Communicator* world) {
  Weights weights;
  LoadSummary ignored;
  if (world != nullptr) {
    load_parts(*world, source, wanted, weights, ignored);
  } else {
    run_world({.backend = "single"},
              [&](Communicator& alone) { load_parts(alone, source, wanted, weights, ignored); });
  }
  return weights;
}

}  // namespace tessera::internal
