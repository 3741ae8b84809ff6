#include "tessera/comm/internal/messages.h"

#include <algorithm>
#include <array>

#include "tessera/base/error.h"
#include "tessera/comm/internal/backends.h"
#include "tessera/comm/internal/call_digest.h"

namespace tessera::internal {
namespace {

constexpr int64_t kNumberBytes = sizeof(int64_t);

}  // namespace

Rank MessageCommunicator::place_of(Rank world_rank) const {
  const auto place = std::find(members_.begin(), members_.end(), world_rank);
  return static_cast<Rank>(place - members_.begin());
}

void MessageCommunicator::perform(const Request& request) {
  const CallKind kind = request.call.kind;
  if (kind == CallKind::kSend || kind == CallKind::kReceive) return hand_over(request);
  compare_calls(request.call);
  switch (kind) {
    case CallKind::kAllReduce:
    case CallKind::kReduceScatter:
      return reduce_by_messages(*this, request);
    case CallKind::kBroadcast:
      return broadcast_bytes(request);
    case CallKind::kAllGather:
    case CallKind::kAllToAll:
      return exchange(request);
    default:
      return;  // a barrier: the comparison was one
  }
}

/// Throws the same error on all ranks unless their calls fit together.
void MessageCommunicator::compare_calls(const Call& call) {
  const auto n = static_cast<size_t>(size());
  const uint64_t hash = common_hash(call);
  std::vector<CallDigest> mine(n), theirs(n);
  const auto messages = open_messages();
  const auto swap_digests = [&] {
    for_others([&](Rank other) {
      const auto i = static_cast<size_t>(other);
      messages->receive(&theirs[i], sizeof(CallDigest), other, MessageTag::kCall);
      messages->send(&mine[i], sizeof(CallDigest), other, MessageTag::kCall);
    });
    messages->wait(call);
    theirs[me()] = mine[me()];
  };
  for (size_t i = 0; i < n; ++i) mine[i] = digest_for(call, hash, i);
  swap_digests();
  bool same = true, fits = true;
  for (size_t i = 0; i < n; ++i) {
    same = same && theirs[i].hash == hash;
    fits = fits && theirs[i].gives == mine[i].expects && theirs[i].expects == mine[i].gives;
  }
  if (same && call.kind == CallKind::kAllToAll) {
    // Only the two ranks of a part know whether it fits, but all must fail.
    mine.assign(n, {fits ? hash : ~hash, 0, 0});
    swap_digests();
    for (const CallDigest& verdict : theirs) fits = fits && verdict.hash == hash;
  }
  if (!same || !fits) throw_disagreement(call);
}

/// Every rank comes here, learns all calls and finds the same words.
void MessageCommunicator::throw_disagreement(const Call& call) {
  const auto n = static_cast<size_t>(size());
  const std::vector<int64_t> own = to_numbers(call);
  const int64_t length = std::ssize(own);
  std::vector<int64_t> lengths(n, length);
  std::vector<std::vector<int64_t>> numbers(n, own);
  const auto messages = open_messages();
  for_others([&](Rank other) {
    messages->receive(&lengths[static_cast<size_t>(other)], kNumberBytes, other, MessageTag::kCall);
    messages->send(&length, kNumberBytes, other, MessageTag::kCall);
  });
  messages->wait(call);
  for_others([&](Rank other) {
    const auto i = static_cast<size_t>(other);
    numbers[i].resize(static_cast<size_t>(lengths[i]));
    messages->receive(numbers[i].data(), lengths[i] * kNumberBytes, other, MessageTag::kCall);
    messages->send(own.data(), length * kNumberBytes, other, MessageTag::kCall);
  });
  messages->wait(call);
  std::vector<Call> calls;
  for (const auto& theirs : numbers) calls.push_back(to_call(theirs));
  std::vector<const Call*> pointers;
  for (const Call& theirs : calls) pointers.push_back(&theirs);
  const std::string wrong = find_disagreement(pointers, members_);
  throw JobError(ErrorCode::kComm, wrong.empty() ? "the ranks disagree on a call" : wrong);
}

/// One tensor from one rank to another: they compare their calls, then it moves.
void MessageCommunicator::hand_over(const Request& request) {
  const Call& call = request.call;
  const bool sends = call.kind == CallKind::kSend;
  const Rank peer = place_of(call.root);
  const std::vector<int64_t> own = to_numbers(call);
  std::vector<int64_t> theirs(own.size());  // each has one count, so both are as long
  const int64_t bytes = std::ssize(own) * kNumberBytes;
  const auto messages = open_messages();
  messages->receive(theirs.data(), bytes, peer, sends ? MessageTag::kAnswer : MessageTag::kCall);
  messages->send(own.data(), bytes, peer, sends ? MessageTag::kCall : MessageTag::kAnswer);
  messages->wait(call);
  const Call other = to_call(theirs);
  const auto calls = sends ? std::array{&call, &other} : std::array{&other, &call};
  const Rank mine = members_[me()];
  const auto ranks = sends ? std::array{mine, call.root} : std::array{call.root, mine};
  if (const std::string wrong = find_disagreement(calls, ranks); !wrong.empty())
    throw JobError(ErrorCode::kComm, wrong);
  if (sends) {
    messages->send(request.input(0), request.inputs[0].byte_count(), peer, MessageTag::kData);
  } else {
    messages->receive(request.output(0), request.outputs[0].byte_count(), peer, MessageTag::kData);
  }
  messages->wait(call);
}

/// all_gather and all_to_all: a part from everybody and one (the same, or its own) to everybody.
void MessageCommunicator::exchange(const Request& request) {
  const bool same_for_all = request.call.kind == CallKind::kAllGather;
  const auto part_for = [&](size_t rank) { return same_for_all ? 0 : rank; };
  const auto messages = open_messages();
  for_others([&](Rank other) {
    const auto i = static_cast<size_t>(other);
    messages->receive(request.output(i), request.outputs[i].byte_count(), other, MessageTag::kData);
  });
  for_others([&](Rank other) {
    const size_t i = part_for(static_cast<size_t>(other));
    messages->send(request.input(i), request.inputs[i].byte_count(), other, MessageTag::kData);
  });
  copy_part(request.inputs[part_for(me())], request.outputs[me()]);
  messages->wait(request.call);
}

/// Along a tree, in blocks: a rank passes one on while the next is under way.
void MessageCommunicator::broadcast_bytes(const Request& request) {
  constexpr int64_t kBlockBytes = 1 << 20;
  const int n = size(), root = place_of(request.call.root);
  const int place = (rank_ - root + n) % n;  // the root is 0
  const auto at = [&](int other) { return (other + root) % n; };
  // Place p has its block from p without its lowest bit, and gives to p plus each lower bit.
  const int own_bit = place == 0 ? 1 << 30 : place & -place;
  const int64_t bytes = request.inputs[0].byte_count();
  const std::byte* data = request.input(0);
  std::array<std::unique_ptr<Messages>, 2> coming{open_messages(), open_messages()};
  const auto going = open_messages();
  const auto expect = [&](int64_t begin) {
    if (place == 0 || begin >= bytes) return;
    coming[static_cast<size_t>(begin / kBlockBytes % 2)]->receive(
        request.output(0) + begin, std::min(kBlockBytes, bytes - begin), at(place - own_bit),
        MessageTag::kData);
  };
  expect(0);
  for (int64_t begin = 0; begin < bytes; begin += kBlockBytes) {
    expect(begin + kBlockBytes);
    coming[static_cast<size_t>(begin / kBlockBytes % 2)]->wait(request.call);
    for (int bit = 1; bit < own_bit && place + bit < n; bit *= 2)
      going->send(data + begin, std::min(kBlockBytes, bytes - begin), at(place + bit),
                  MessageTag::kData);
  }
  going->wait(request.call);
}

}  // namespace tessera::internal
