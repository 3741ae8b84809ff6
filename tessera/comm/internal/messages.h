// Collectives of ranks that share no memory, made of messages that do not block. Before each one
// the ranks compare their calls. Sums are made in the order of the ranks, as everywhere.
#pragma once

#include "tessera/comm/internal/requests.h"

namespace tessera::internal {

/// What a message is about. Those of one tag between two ranks arrive in the order of their
/// sending, and ranks make their calls in the same order: they need no numbers.
enum class MessageTag : uint8_t {
  kCall,    // what a rank calls
  kAnswer,  // the same from a receiver to a sender
  kData,
  kResult,  // combined data
};

/// Messages under way. Their memory must stay until wait() has returned.
class Messages {
 public:
  virtual ~Messages() = default;
  /// `peer` counts in the communicator. Nothing happens for no bytes: both sides know.
  virtual void send(const void* data, int64_t bytes, Rank peer, MessageTag tag) = 0;
  virtual void receive(void* data, int64_t bytes, Rank peer, MessageTag tag) = 0;
  /// Until all are done; `call` is what the message of a timeout names.
  virtual void wait(const Call& call) = 0;

 protected:
  Messages() = default;
  Messages(const Messages&) = default;
  Messages& operator=(const Messages&) = default;
};

class MessageCommunicator : public RequestCommunicator {
 public:
  /// `members` are the ranks' numbers in the world.
  MessageCommunicator(std::vector<Rank> members, Rank rank)
      : members_(std::move(members)), rank_(rank) {}
  Rank rank() const final { return rank_; }
  int size() const final { return static_cast<int>(members_.size()); }

  virtual std::unique_ptr<Messages> open_messages() = 0;
  /// Calls visit(other rank), beginning with the next one: not all at the same one at once.
  template <typename Visit>
  void for_others(const Visit& visit) const {
    for (int i = 1; i < size(); ++i) visit((rank_ + i) % size());
  }

 protected:
  std::span<const Rank> members() const final { return members_; }
  void perform(const Request& request) final;

 private:
  size_t me() const { return static_cast<size_t>(rank_); }
  Rank place_of(Rank world_rank) const;
  void compare_calls(const Call& call);
  [[noreturn]] void throw_disagreement(const Call& call);
  void hand_over(const Request& request);
  void exchange(const Request& request);
  void broadcast_bytes(const Request& request);

  std::vector<Rank> members_;
  Rank rank_;
};

/// Performs an all_reduce or a reduce_scatter whose calls have been compared.
void reduce_by_messages(MessageCommunicator& group, const Request& request);

}  // namespace tessera::internal
