#include "tessera/model/internal/load_into_ranks.h"

#include <fmt/format.h>

#include "tessera/base/text.h"
#include "tessera/model/spread.h"
#include "tessera/reshard/load_ranks.h"

namespace tessera::internal {
namespace {

/// The layouts by which the network was placed decide; what the caller says must be the same.
void check_predict(const NetworkParameter& parameter, const Layout& placed, Rank rank,
                   const PredictStrategy& predict) {
  const auto found = predict.find(parameter.name);
  if (found == predict.end() || !placed.mesh->find_place(rank)) return;
  const ErrorContext context(
      [&] { return fmt::format("comparing the predict layout of '{}'", parameter.name); });
  const Layout asked = from_tensor_map({found->second.device_matrix, found->second.tensor_map});
  validate(asked, parameter.shape.size());
  const Rank place = placed.mesh->place_of(rank);
  require(place < asked.mesh->rank_count(), "it is for {} ranks, {} run", asked.mesh->rank_count(),
          placed.mesh->rank_count());
  const Box wanted = local_box(asked, parameter.shape, place);
  const Box here = local_box(placed, parameter.shape, rank);
  require(wanted == here,
          "it gives rank {} {} of {}, but the network was placed as {}, which gives it {}; infer "
          "the layout from this network",
          rank, to_string(wanted), to_string(parameter.shape), to_string(placed), to_string(here));
}

}  // namespace

NotLoaded load_into_ranks(Model& net, const DistributedFiles& files,
                          const LoadDistributedOptions& options) {
  const Spread& spread = *net.spread();
  const Rank rank = spread.world().rank();
  std::vector<WantedParameter> wanted;
  for (NetworkParameter& parameter : net.parameters()) {
    const Layout& layout = *spread.layout(parameter.name);
    check_predict(parameter, layout, rank, files.predict);
    wanted.push_back({std::move(parameter), layout});
  }
  std::vector<std::string> paths;
  for (const auto& path : files.files) paths.push_back(path.string());
  FindOptions find;
  find.offers_pick = false;
  find.allow = options.allow;
  find.may_be_absent = spread.world().size() > 1;  // another rank may see what is not there
  LoadRanksOptions load;
  load.open.key = options.dec_key;
  load.open.cipher = options.dec_mode;
  load.open.allow = options.allow;
  load.match.allow = options.allow;
  load.match.lenient = !options.strict_load && !options.allow.empty();
  load.replicas = options.replicas;
  load.threads = options.threads;
  std::optional<Strategy> train;
  if (!files.train.empty()) train = read_strategy(files.train);
  LoadedRank loaded = load_ranks(spread.world(), find_rank_files(paths, find),
                                 train ? &*train : nullptr, wanted, load);
  for (auto& [name, tensor] : loaded.tensors) net.set_weight(name, std::move(tensor));
  if (options.notes != nullptr) *options.notes = loaded.notes;
  return {std::move(loaded.match.not_loaded), std::move(loaded.match.not_used)};
}

}  // namespace tessera::internal
