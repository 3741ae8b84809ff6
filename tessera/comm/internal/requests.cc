#include "tessera/comm/internal/requests.h"

#include <algorithm>
#include <cstring>

#include "tessera/base/error.h"
#include "tessera/comm/combine.h"

namespace tessera::internal {
namespace {

void check_tensor(const Tensor& tensor, DType dtype, CallKind kind) {
  require(tensor.is_defined(), "{} is given a tensor that holds nothing", to_string(kind));
  require(tensor.is_contiguous(), "{} is given {}, which is not contiguous: pass contiguous()",
          to_string(kind), describe(tensor));
  require(tensor.dtype() == dtype, "{} is given tensors of {} and of {}", to_string(kind),
          tessera::to_string(dtype), tessera::to_string(tensor.dtype()));
}

/// The element counts of `tensors`, which must be of `dtype`.
std::vector<int64_t> counts_of(std::span<const Tensor> tensors, DType dtype, CallKind kind) {
  std::vector<int64_t> counts;
  counts.reserve(tensors.size());
  for (const Tensor& tensor : tensors) {
    check_tensor(tensor, dtype, kind);
    counts.push_back(tensor.size());
  }
  return counts;
}

/// Fails now, not in the middle of the exchange, when a tensor that comes in may not be written.
void check_writable(std::span<Tensor> tensors) {
  for (Tensor& tensor : tensors) static_cast<void>(tensor.mutable_bytes());
}

Request make_request(Call call, std::span<const Tensor> inputs, std::span<Tensor> outputs) {
  call.dtype = (inputs.empty() ? outputs[0] : inputs[0]).dtype();
  call.sent = counts_of(inputs, call.dtype, call.kind);
  call.received = counts_of(outputs, call.dtype, call.kind);
  check_writable(outputs);
  return {std::move(call), inputs, outputs};
}

void check_part_count(size_t count, int ranks, CallKind kind) {
  require(count == static_cast<size_t>(ranks), "{} is given {} parts, the group has {} ranks",
          to_string(kind), count, ranks);
}

}  // namespace

void RequestCommunicator::all_reduce(Tensor& tensor, ReduceOp op) {
  require_combinable(tensor.dtype(), op);
  perform(make_request({.kind = CallKind::kAllReduce, .op = op}, {&tensor, 1}, {&tensor, 1}));
}

void RequestCommunicator::all_gather(const Tensor& mine, std::span<Tensor> parts) {
  check_part_count(parts.size(), size(), CallKind::kAllGather);
  perform(make_request({.kind = CallKind::kAllGather}, {&mine, 1}, parts));
}

void RequestCommunicator::reduce_scatter(std::span<const Tensor> parts, Tensor& mine, ReduceOp op) {
  check_part_count(parts.size(), size(), CallKind::kReduceScatter);
  const Request request =
      make_request({.kind = CallKind::kReduceScatter, .op = op}, parts, {&mine, 1});
  require_combinable(mine.dtype(), op);
  const int64_t own = request.call.sent[static_cast<size_t>(rank())];
  require(own == mine.size(), "reduce_scatter of rank {}: its part has {} elements, its result {}",
          members()[static_cast<size_t>(rank())], own, mine.size());
  perform(request);
}

void RequestCommunicator::all_to_all(std::span<const Tensor> send, std::span<Tensor> receive) {
  check_part_count(send.size(), size(), CallKind::kAllToAll);
  check_part_count(receive.size(), size(), CallKind::kAllToAll);
  perform(make_request({.kind = CallKind::kAllToAll}, send, receive));
}

void RequestCommunicator::broadcast(Tensor& tensor, Rank root) {
  require(root >= 0 && root < size(), "broadcast from rank {}, the group has {} ranks", root,
          size());
  const Rank world_root = members()[static_cast<size_t>(root)];
  // The tensor of the root is only read: it may view a mapped file.
  const std::span<Tensor> output(&tensor, rank() == root ? 0 : 1);
  perform(make_request({.kind = CallKind::kBroadcast, .root = world_root}, {&tensor, 1}, output));
}

Rank RequestCommunicator::checked_peer(Rank peer, std::string_view what) const {
  require(peer >= 0 && peer < size(), "{} rank {}, the group has {} ranks", what, peer, size());
  require(peer != rank(), "rank {} is to {} itself", rank(), what);
  return members()[static_cast<size_t>(peer)];
}

void RequestCommunicator::send(const Tensor& tensor, Rank to) {
  const Rank peer = checked_peer(to, "send to");
  perform(make_request({.kind = CallKind::kSend, .root = peer}, {&tensor, 1}, {}));
}

void RequestCommunicator::receive(Tensor& tensor, Rank from) {
  const Rank peer = checked_peer(from, "receive from");
  perform(make_request({.kind = CallKind::kReceive, .root = peer}, {}, {&tensor, 1}));
}

void RequestCommunicator::barrier() {
  perform({.call = {.kind = CallKind::kBarrier}});
}

std::unique_ptr<Communicator> RequestCommunicator::split(std::span<const Rank> ranks) {
  for (size_t i = 0; i < ranks.size(); ++i) {
    require(ranks[i] >= 0 && ranks[i] < size(), "split of rank {}, the group has {} ranks",
            ranks[i], size());
    require(std::find(ranks.begin(), ranks.begin() + static_cast<std::ptrdiff_t>(i), ranks[i]) ==
                ranks.begin() + static_cast<std::ptrdiff_t>(i),
            "split: rank {} is twice in {}", ranks[i], list_ranks(ranks));
  }
  require(std::find(ranks.begin(), ranks.end(), rank()) != ranks.end(),
          "split of {}, called by rank {}, which is not among them", list_ranks(ranks), rank());
  return split_checked(ranks);
}

void copy_part(const Tensor& from, Tensor& to) {
  const std::span<const std::byte> source = from.bytes();
  const std::span<std::byte> destination = to.mutable_bytes();
  if (source.empty() || source.data() == destination.data()) return;
  std::memcpy(destination.data(), source.data(), source.size());
}

int64_t segment_begin(int64_t count, int i, int n) {
  constexpr int64_t kStep = 64;
  const int64_t steps = (count + kStep - 1) / kStep;
  return std::min(count, steps * i / n * kStep);
}

}  // namespace tessera::internal
