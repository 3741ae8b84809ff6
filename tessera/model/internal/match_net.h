// Which entries of a catalog load_param_into_net puts into which parameters of a network.
#pragma once

#include <vector>

#include "tessera/model/parameters.h"

namespace tessera::internal {

struct NetMatch {
  std::vector<NetworkParameter> wanted;  // what report.matches count; those not there are left out
  MatchReport report;
  NotLoaded rest;
};

/// Throws kInvalidArgument for shapes or dtypes that do not fit.
NetMatch match_net(const Model& net, const Catalog& catalog, bool strict_load);

}  // namespace tessera::internal
