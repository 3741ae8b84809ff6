#include "tessera/comm/internal/job.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "tessera/comm/internal/backends.h"
#include "tessera/comm/internal/meeting.h"

namespace tessera::internal {

void Job::abort(const std::string& reason) noexcept {
  {
    const std::scoped_lock lock(mutex_);
    if (!aborted_) reason_ = reason;
    aborted_ = true;
  }
  wake_everybody();
}

void Job::throw_reason() {
  std::string reason;
  {
    const std::scoped_lock lock(mutex_);
    reason = reason_;
  }
  // What this rank was doing has nothing to do with the reason.
  const AdoptContext none(nullptr);
  throw JobError(ErrorCode::kComm, reason);
}

void Job::end(Rank rank) noexcept {
  ranks_[static_cast<size_t>(rank)].ended = true;
  wake_everybody();
}

void Job::begin_wait(Rank rank, const Wait& wait) {
  const std::scoped_lock lock(mutex_);
  ranks_[static_cast<size_t>(rank)].wait = wait;
}

void Job::end_wait(Rank rank) {
  const std::scoped_lock lock(mutex_);
  ranks_[static_cast<size_t>(rank)].wait = {};
}

std::string Job::describe_locked(Rank rank) const {
  const RankState& state = ranks_[static_cast<size_t>(rank)];
  if (state.ended) return fmt::format("rank {} has ended", rank);
  if (state.wait.meeting == nullptr) return fmt::format("rank {} is in no call", rank);
  const std::vector<Rank>& members = state.wait.meeting->members();
  const bool of_all = members.size() == ranks_.size() || members.size() <= 2;
  return fmt::format("rank {} waits in {}{}", rank, to_string(*state.wait.call),
                     of_all ? "" : fmt::format(" of {}", list_ranks(members)));
}

std::string Job::describe(std::span<const Rank> ranks) {
  constexpr size_t kShown = 8;
  const std::scoped_lock lock(mutex_);
  std::string text;
  for (size_t i = 0; i < std::min(ranks.size(), kShown); ++i)
    text += (i == 0 ? "" : ", ") + describe_locked(ranks[i]);
  return ranks.size() > kShown ? text + ", …" : text;
}

std::string Job::describe_deadlock() {
  {
    const std::scoped_lock lock(mutex_);
    for (const RankState& state : ranks_) {
      if (state.ended) continue;
      const Wait& wait = state.wait;
      if (wait.meeting == nullptr || wait.meeting->has_passed(wait.turn)) return {};
    }
  }
  std::vector<Rank> all(ranks_.size());
  std::iota(all.begin(), all.end(), 0);
  return describe(all);
}

void Job::wake_everybody() noexcept {
  const std::scoped_lock lock(mutex_);
  for (const RankState& state : ranks_)
    if (state.wait.meeting != nullptr) state.wait.meeting->wake();
}

}  // namespace tessera::internal
