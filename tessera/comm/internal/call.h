// What one rank asks of a group: which call, of what. Ranks that meet compare their calls.
//
//   all_reduce(f32 x 10, sum)
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/tensor/dtype.h"
#include "tessera/tensor/rank.h"

namespace tessera::internal {

enum class CallKind : uint8_t {
  kAllReduce,
  kAllGather,
  kReduceScatter,
  kAllToAll,
  kBroadcast,
  kSend,
  kReceive,
  kBarrier,
};
inline constexpr int kCallKindCount = 8;

/// "all_reduce".
std::string_view to_string(CallKind kind);

struct Call {
  CallKind kind = CallKind::kBarrier;
  DType dtype = DType::kU8;
  ReduceOp op = ReduceOp::kSum;   // of what combines
  Rank root = 0;                  // of broadcast; of send and receive: the other side, in the world
  std::vector<int64_t> sent;      // elements per tensor that goes out
  std::vector<int64_t> received;  // and that comes in
};

std::string to_string(const Call& call);

/// What two of these calls, made by `ranks`, disagree on, naming both; "" when all fit together.
/// Every rank that asks with the same calls gets the same answer.
std::string find_disagreement(std::span<const Call* const> calls, std::span<const Rank> ranks);

/// "rank 3", "ranks 0, 1, 2" and, when there are many, "ranks 0, 1, 2, … (64 ranks)".
std::string list_ranks(std::span<const Rank> ranks);

}  // namespace tessera::internal
