#include "tessera/comm/internal/meeting.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "tessera/base/parallel.h"
#include "tessera/base/stopwatch.h"
#include "tessera/comm/internal/backends.h"

namespace tessera::internal {
namespace {

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

Meeting::Meeting(Job& job, std::vector<Rank> members)
    : job_(job),
      members_(std::move(members)),
      seats_(members_.size()),
      calls_(members_.size(), nullptr) {}

/// Comes to the turn; true when that completes it.
bool Meeting::enter(uint32_t turn) noexcept {
  const uint64_t open = uint64_t{turn} << 32;
  const uint64_t passed = uint64_t{turn + 1} << 32;
  uint64_t state = state_.load();
  // The last to come opens the next turn in the same step: from then on nobody can withdraw.
  while (!state_.compare_exchange_weak(state,
                                       state - open + 1 == members_.size() ? passed : state + 1)) {
  }
  if (state - open + 1 != members_.size()) return false;
  if (sleepers_.load() > 0) wake();
  return true;
}

/// Takes the arrival back; false when the turn has passed with it.
bool Meeting::withdraw(size_t member, uint32_t turn) {
  uint64_t state = state_.load();
  do {
    if (static_cast<uint32_t>(state >> 32) != turn) return false;
  } while (!state_.compare_exchange_weak(state, state - 1));
  seats_[member].next_turn = turn;
  return true;
}

/// Waits a little without sleeping: as long as a sleep and its end would cost. With more ranks than
/// processors the rank that is waited for needs this one's.
bool Meeting::passes_soon(uint32_t turn) const {
  static const int processors = default_thread_count();
  const int spins = job_.ranks() <= processors ? 2000 : 0;
  for (int i = 0; i < spins; ++i) {
    if (has_passed(turn)) return true;
    pause();
  }
  for (int i = 0; i < 4; ++i) {
    if (has_passed(turn)) return true;
    std::this_thread::yield();
  }
  return has_passed(turn);
}

void Meeting::wake() noexcept {
  { const std::scoped_lock lock(mutex_); }
  woken_.notify_all();
}

void Meeting::arrive(size_t member, const Request& request) {
  if (job_.is_aborted()) job_.throw_reason();
  const uint32_t turn = current_turn();
  Seat& seat = seats_[member];
  seat.request = &request;
  calls_[member] = &request.call;
  seat.next_turn = turn + 1;
  if (!enter(turn) && !passes_soon(turn)) sleep(member, turn);
}

void Meeting::depart() noexcept {
  // Nobody can fail to come here: what lies between is copying.
  const uint32_t turn = current_turn();
  if (enter(turn) || passes_soon(turn)) return;
  ++sleepers_;
  {
    std::unique_lock lock(mutex_);
    woken_.wait(lock, [&] { return has_passed(turn); });
  }
  --sleepers_;
}

void Meeting::sleep(size_t member, uint32_t turn) {
  constexpr double kLook = 0.1;  // seconds between two looks for trouble
  const Rank rank = members_[member];
  const Stopwatch watch;
  job_.begin_wait(rank, {this, turn, calls_[member]});
  ++sleepers_;
  std::string trouble;
  while (!has_passed(turn)) {
    const double waited = watch.seconds();
    trouble = find_trouble(member, turn, waited);
    if (!trouble.empty() && withdraw(member, turn)) break;
    trouble.clear();
    std::unique_lock lock(mutex_);
    if (has_passed(turn) || job_.is_aborted()) continue;
    const double left = job_.timeout_seconds() > 0 ? job_.timeout_seconds() - waited : kLook;
    woken_.wait_for(lock, std::chrono::duration<double>(std::clamp(left, 1e-3, kLook)));
  }
  --sleepers_;
  job_.end_wait(rank);
  if (trouble.empty()) return;
  if (job_.is_aborted()) job_.throw_reason();
  job_.abort(trouble);
  throw JobError(ErrorCode::kComm, trouble);
}

/// Why it is in vain to wait longer, or "".
std::string Meeting::find_trouble(size_t member, uint32_t turn, double waited) {
  if (job_.is_aborted()) return "the job is aborted";
  std::vector<Rank> missing;
  for (size_t i = 0; i < seats_.size(); ++i)
    if (seats_[i].next_turn != turn + 1) missing.push_back(members_[i]);
  const std::string where = fmt::format("rank {} waits for {} in {}", members_[member],
                                        list_ranks(missing), to_string(*calls_[member]));
  for (const Rank rank : missing)
    if (job_.has_ended(rank)) return fmt::format("rank {} has ended while {}", rank, where);
  if (waited >= 0.1) {
    if (const std::string deadlock = job_.describe_deadlock(); !deadlock.empty())
      return "the ranks wait for each other for ever: " + deadlock;
  }
  if (job_.timeout_seconds() > 0 && waited >= job_.timeout_seconds())
    return fmt::format("{}, for {:.3g} s: {} (the timeout is {:.3g} s)", where, waited,
                       job_.describe(missing), job_.timeout_seconds());
  return {};
}

}  // namespace tessera::internal
