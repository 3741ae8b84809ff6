// The part of a communicator that all backends share: arguments are checked and become a request,
// which the backend performs.
#pragma once

#include "tessera/comm/communicator.h"
#include "tessera/comm/internal/call.h"

namespace tessera::internal {

/// A call and its tensors, which live until it returns. All are contiguous, of call.dtype.
struct Request {
  Call call;
  std::span<const Tensor> inputs;
  std::span<Tensor> outputs;

  const std::byte* input(size_t i) const { return inputs[i].bytes().data(); }
  std::byte* output(size_t i) const { return outputs[i].mutable_bytes().data(); }
};

class RequestCommunicator : public Communicator {
 public:
  void all_reduce(Tensor& tensor, ReduceOp op) final;
  void all_gather(const Tensor& mine, std::span<Tensor> parts) final;
  void reduce_scatter(std::span<const Tensor> parts, Tensor& mine, ReduceOp op) final;
  void all_to_all(std::span<const Tensor> send, std::span<Tensor> receive) final;
  void broadcast(Tensor& tensor, Rank root) final;
  void send(const Tensor& tensor, Rank to) final;
  void receive(Tensor& tensor, Rank from) final;
  void barrier() final;
  std::unique_ptr<Communicator> split(std::span<const Rank> ranks) final;

 protected:
  /// The numbers that this communicator's ranks have in the world: messages name those.
  virtual std::span<const Rank> members() const = 0;
  virtual void perform(const Request& request) = 0;
  /// `ranks` are distinct, in range and have rank() among them.
  virtual std::unique_ptr<Communicator> split_checked(std::span<const Rank> ranks) = 0;

 private:
  Rank checked_peer(Rank peer, std::string_view what) const;
};

/// Copies input to output; nothing when they are the same memory. Both have the same byte count.
void copy_part(const Tensor& from, Tensor& to);

/// Where part i of n of `count` elements begins, on a multiple of 64 elements (so of cache lines).
int64_t segment_begin(int64_t count, int i, int n);

}  // namespace tessera::internal
