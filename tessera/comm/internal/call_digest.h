// Calls as numbers that ranks without common memory send to each other, to find disagreement.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tessera/comm/internal/call.h"

namespace tessera::internal {

/// A call, for one other rank to compare with its own.
struct CallDigest {
  uint64_t hash = 0;    // of what is the same on all ranks
  int64_t gives = 0;    // elements that move to that rank, where each rank has its own part
  int64_t expects = 0;  // and from it
};

/// `hash` is common_hash(call).
CallDigest digest_for(const Call& call, uint64_t hash, size_t peer);
/// The same on all ranks whose calls fit together but for sizes that only two ranks know.
uint64_t common_hash(const Call& call);

/// The whole call, and back.
std::vector<int64_t> to_numbers(const Call& call);
Call to_call(std::span<const int64_t> numbers);

}  // namespace tessera::internal
