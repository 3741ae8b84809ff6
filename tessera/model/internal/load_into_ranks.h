// load_distributed_checkpoint into a network that runs on several ranks.
#pragma once

#include <filesystem>
#include <span>

#include "tessera/model/distributed_checkpoint.h"

namespace tessera::internal {

/// What the ranks are asked to load.
struct DistributedFiles {
  std::span<const std::filesystem::path> files;
  const std::filesystem::path& train;  // empty: the files hold whole tensors
  const PredictStrategy& predict;      // empty: as the network was placed
};

/// Collective. Throws as load_ranks does, and kInvalidArgument naming a parameter whose predict
/// layout gives this rank another part than the network's placement.
NotLoaded load_into_ranks(Model& net, const DistributedFiles& files,
                          const LoadDistributedOptions& options);

}  // namespace tessera::internal
