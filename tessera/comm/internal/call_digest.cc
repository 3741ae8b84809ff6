#include "tessera/comm/internal/call_digest.h"

namespace tessera::internal {
namespace {

uint64_t hash_of(std::span<const int64_t> numbers) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const int64_t number : numbers) {
    hash = (hash ^ static_cast<uint64_t>(number)) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 29;
  }
  return hash;
}

}  // namespace

CallDigest digest_for(const Call& call, uint64_t hash, size_t peer) {
  if (call.kind == CallKind::kAllGather) return {hash, call.sent[0], call.received[peer]};
  if (call.kind == CallKind::kAllToAll) return {hash, call.sent[peer], call.received[peer]};
  return {hash, 0, 0};
}

uint64_t common_hash(const Call& call) {
  Call common = call;
  if (call.kind == CallKind::kAllGather) common.sent.clear();
  if (call.kind == CallKind::kReduceScatter || call.kind == CallKind::kBroadcast)
    common.received.clear();
  if (call.kind == CallKind::kAllToAll) common.sent = common.received = {};
  return hash_of(to_numbers(common));
}

std::vector<int64_t> to_numbers(const Call& call) {
  std::vector<int64_t> numbers{static_cast<int64_t>(call.kind), static_cast<int64_t>(call.dtype),
                               static_cast<int64_t>(call.op), call.root, std::ssize(call.sent)};
  numbers.insert(numbers.end(), call.sent.begin(), call.sent.end());
  numbers.insert(numbers.end(), call.received.begin(), call.received.end());
  return numbers;
}

Call to_call(std::span<const int64_t> numbers) {
  constexpr size_t kFixed = 5;
  const auto sent = static_cast<size_t>(numbers[kFixed - 1]);
  const auto first = numbers.subspan(kFixed, sent), second = numbers.subspan(kFixed + sent);
  return {.kind = static_cast<CallKind>(numbers[0]),
          .dtype = static_cast<DType>(numbers[1]),
          .op = static_cast<ReduceOp>(numbers[2]),
          .root = static_cast<Rank>(numbers[3]),
          .sent = {first.begin(), first.end()},
          .received = {second.begin(), second.end()}};
}

}  // namespace tessera::internal
