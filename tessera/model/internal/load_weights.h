// The weights of a model from its files: whole for a model that runs alone, this rank's parts for
// one that is spread over ranks.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tessera/model/model.h"

namespace tessera::internal {

using Weights = std::map<std::string, Tensor, std::less<>>;

/// One tensor per parameter that lies here: loaded, or as MindSpore's cells begin where no file is
/// given or the parameter may be missing. `spread`: null for a model that runs alone; else
/// collective.
Weights load_weights(const ModelSource& source, const std::vector<NetworkParameter>& parameters,
                     const Spread* spread, LoadSummary& summary);

}  // namespace tessera::internal
