// What the ranks of one local job share: who has ended, who waits in what, and why all must stop.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "tessera/comm/internal/call.h"

namespace tessera::internal {

class Meeting;

/// Thread-safe.
class Job {
 public:
  /// timeout_seconds 0: waits for ever.
  Job(int ranks, double timeout_seconds) : ranks_(ranks), timeout_seconds_(timeout_seconds) {}

  int ranks() const { return static_cast<int>(ranks_.size()); }
  double timeout_seconds() const { return timeout_seconds_; }

  bool is_aborted() const { return aborted_.load(); }
  /// Every wait ends from now on, for this reason; the first reason stays.
  void abort(const std::string& reason) noexcept;
  [[noreturn]] void throw_reason();

  /// The body of this rank has returned.
  void end(Rank rank) noexcept;
  bool has_ended(Rank rank) const { return ranks_[static_cast<size_t>(rank)].ended.load(); }

  /// Where a rank sleeps: until this turn of the meeting has passed.
  struct Wait {
    Meeting* meeting = nullptr;
    uint32_t turn = 0;
    const Call* call = nullptr;
  };
  void begin_wait(Rank rank, const Wait& wait);
  void end_wait(Rank rank);
  /// What these ranks do: "rank 1 waits in barrier(), rank 2 has ended".
  std::string describe(std::span<const Rank> ranks);
  /// The same of all ranks, when each that has not ended waits for another one; else "".
  std::string describe_deadlock();

 private:
  struct RankState {
    std::atomic<bool> ended = false;
    Wait wait;  // under mutex_
  };

  std::string describe_locked(Rank rank) const;
  void wake_everybody() noexcept;

  std::vector<RankState> ranks_;
  const double timeout_seconds_;
  std::atomic<bool> aborted_ = false;
  std::mutex mutex_;  // taken before that of a meeting
  std::string reason_;
};

}  // namespace tessera::internal
