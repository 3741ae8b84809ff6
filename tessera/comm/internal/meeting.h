// How threads that are ranks meet: each comes with a request, each sees the requests of all, and
// none leaves before all are done with them. Who waits sleeps soon, and learns when nobody comes.
//
//   meeting.arrive(me, request);   // throws when a rank has ended, the job aborts, on timeout
//   ... read meeting.request(i) and its tensors ...
//   meeting.depart();
#pragma once

#include <condition_variable>
#include <memory>

#include "tessera/comm/internal/job.h"
#include "tessera/comm/internal/requests.h"

namespace tessera::internal {

/// Of the same ranks, again and again.
class Meeting {
 public:
  /// `members` are the ranks' numbers in the world. The job must outlive this.
  Meeting(Job& job, std::vector<Rank> members);

  const std::vector<Rank>& members() const { return members_; }
  /// Waits until all have come. Throws kComm; then this member has not taken part.
  void arrive(size_t member, const Request& request);
  /// Waits until all are done. Until then everybody's requests and tensors may be used.
  void depart() noexcept;
  const Request& request(size_t member) const { return *seats_[member].request; }
  /// What two members disagree on, or "": the same on all of them.
  std::string disagreement() const { return find_disagreement(calls_, members_); }

  bool has_passed(uint32_t turn) const { return current_turn() != turn; }
  /// Makes sleepers look again.
  void wake() noexcept;

 private:
  struct alignas(64) Seat {
    const Request* request = nullptr;
    std::atomic<uint32_t> next_turn{0};  // after the last one it has come to
  };

  uint32_t current_turn() const { return static_cast<uint32_t>(state_.load() >> 32); }
  bool enter(uint32_t turn) noexcept;
  bool withdraw(size_t member, uint32_t turn);
  bool passes_soon(uint32_t turn) const;
  void sleep(size_t member, uint32_t turn);
  std::string find_trouble(size_t member, uint32_t turn, double waited);

  Job& job_;
  const std::vector<Rank> members_;
  std::vector<Seat> seats_;
  std::vector<const Call*> calls_;
  std::atomic<uint64_t> state_{0};  // turns that have passed << 32 | members that have come
  std::atomic<int> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable woken_;
};

}  // namespace tessera::internal
