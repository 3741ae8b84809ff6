// What every rank of the wanted arrangement holds of every stored tensor.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tessera/checkpoint/catalog.h"
#include "tessera/checkpoint/strategy.h"

namespace tessera {

/// Small, because there are (tensors x ranks) of them.
struct Holding {
  uint32_t record = 0;  // index into Catalog::records
  uint32_t slices = 0;  // index into Destination::slices
  bool operator==(const Holding&) const = default;
};

struct Destination {
  /// The different things to hold: boxes of the global tensor that follow each other along dim 0 of
  /// the local one. Tensors of equal shape and cut share them. Empty for strings and maps.
  std::vector<std::vector<Box>> slices;
  std::vector<std::vector<Holding>> ranks;  // per rank, in catalog order
  std::vector<std::string> notes;           // what the strategy does not say, for the report
};

/// All of every record on one rank.
Destination whole_destination(const Catalog& catalog);
struct DestinationOptions {
  bool interleave_fields = false;  // see slices_of
  std::vector<std::string> allow;  // patterns of names that may be in the strategy only
};
/// What `strategy` says. Tensors that it does not name, strings and maps are whole on every rank,
/// which a note says. Throws kInvalidArgument naming the tensor when its shape does not fit,
/// kNotFound when the strategy names a tensor that is not there, or none of those that are.
Destination destination_of(const Catalog& catalog, const Strategy& strategy,
                           const DestinationOptions& options = {});

}  // namespace tessera
