// The weights of a model from its files: whole for a model that runs alone, this rank's parts for
// one that is spread over ranks.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tessera/model/model.h"
#include "tessera/reshard/load_ranks.h"

namespace tessera::internal {

using Weights = std::map<std::string, Tensor, std::less<>>;

/// The parameters of a graph, in its order.
std::vector<NetworkParameter> parameters_of(const Graph& network);

/// One tensor per parameter that lies here: loaded, or what the network's initialisers say where
/// no file is given or the parameter may be missing. `spread`: null for a model that runs alone;
/// else collective.
Weights load_weights(const ModelSource& source, const Graph& network, const Spread* spread,
                     LoadSummary& summary);

/// The tensors of these that lie here, all of which must be stored. Collective where there is a
/// world.
Weights load_wanted(const ModelSource& source, const std::vector<WantedParameter>& wanted,
                    Communicator* world);

}  // namespace tessera::internal
