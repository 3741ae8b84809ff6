// Ranks that are threads of this process. They read each other's tensors where they lie.
#include <algorithm>
#include <exception>
#include <mutex>
#include <numeric>
#include <system_error>
#include <thread>

#include "tessera/comm/combine.h"
#include "tessera/comm/internal/backends.h"
#include "tessera/comm/internal/meeting.h"

namespace tessera::internal {
namespace {

/// What the members of one communicator share.
class Group {
 public:
  Group(Job& job, std::vector<Rank> members) : job_(job), meeting_(job, std::move(members)) {}

  Job& job() { return job_; }
  const std::vector<Rank>& members() const { return meeting_.members(); }
  Meeting& meeting() { return meeting_; }
  /// Where these two meet, the sender as member 0.
  Meeting& meeting_of(Rank sender, Rank receiver) {
    const std::scoped_lock lock(mutex_);
    std::unique_ptr<Meeting>& pair = pairs_[{sender, receiver}];
    if (pair == nullptr) pair = std::make_unique<Meeting>(job_, std::vector{sender, receiver});
    return *pair;
  }
  /// The group of these members (in the world's numbers): one for all of them each time that all
  /// have asked.
  std::shared_ptr<Group> split(std::vector<Rank> members) {
    const std::scoped_lock lock(mutex_);
    Forming& forming = forming_[members];
    if (forming.group == nullptr) forming.group = std::make_shared<Group>(job_, members);
    std::shared_ptr<Group> group = forming.group;
    if (++forming.joined == members.size()) forming_.erase(members);
    return group;
  }

 private:
  struct Forming {
    std::shared_ptr<Group> group;
    size_t joined = 0;
  };

  Job& job_;
  Meeting meeting_;
  std::mutex mutex_;
  std::map<std::pair<Rank, Rank>, std::unique_ptr<Meeting>> pairs_;
  std::map<std::vector<Rank>, Forming> forming_;
};

class LocalCommunicator final : public RequestCommunicator {
 public:
  LocalCommunicator(std::shared_ptr<Group> group, Rank rank)
      : group_(std::move(group)), rank_(rank), machines_(group_->members().size(), 0) {}

  std::string_view backend() const override { return "local"; }
  Rank rank() const override { return rank_; }
  int size() const override { return static_cast<int>(machines_.size()); }
  std::span<const int> machines() const override { return machines_; }
  void abort(std::string_view reason) noexcept override {
    group_->job().abort(fmt::format("rank {}: {}", members()[me()], reason));
  }

 protected:
  std::span<const Rank> members() const override { return group_->members(); }
  void perform(const Request& request) override;
  std::unique_ptr<Communicator> split_checked(std::span<const Rank> ranks) override;

 private:
  size_t me() const { return static_cast<size_t>(rank_); }
  void move(const Meeting& meeting, const Request& request);
  void all_reduce_segment(const Meeting& meeting, const Call& call);
  void combine_mine(const Meeting& meeting, const Request& request);

  std::shared_ptr<Group> group_;
  Rank rank_;
  std::vector<int> machines_;
};

void LocalCommunicator::perform(const Request& request) {
  const Call& call = request.call;
  const bool sends = call.kind == CallKind::kSend, receives = call.kind == CallKind::kReceive;
  const Rank mine = members()[me()];
  Meeting& meeting = sends      ? group_->meeting_of(mine, call.root)
                     : receives ? group_->meeting_of(call.root, mine)
                                : group_->meeting();
  meeting.arrive(sends ? 0 : receives ? 1 : me(), request);
  const std::string wrong = meeting.disagreement();
  if (wrong.empty()) move(meeting, request);
  meeting.depart();
  if (!wrong.empty()) throw JobError(ErrorCode::kComm, wrong);
}

/// This rank's share of the work.
void LocalCommunicator::move(const Meeting& meeting, const Request& request) {
  const size_t n = meeting.members().size();
  switch (request.call.kind) {
    case CallKind::kAllReduce:
      return all_reduce_segment(meeting, request.call);
    case CallKind::kReduceScatter:
      return combine_mine(meeting, request);
    case CallKind::kAllGather:
      for (size_t i = 0; i < n; ++i) {  // not all from the same rank at once
        const size_t from = (me() + i) % n;
        copy_part(meeting.request(from).inputs[0], request.outputs[from]);
      }
      return;
    case CallKind::kAllToAll:
      for (size_t i = 0; i < n; ++i) {
        const size_t from = (me() + i) % n;
        copy_part(meeting.request(from).inputs[me()], request.outputs[from]);
      }
      return;
    case CallKind::kBroadcast: {
      const auto& all = meeting.members();
      const auto root = std::find(all.begin(), all.end(), request.call.root) - all.begin();
      for (Tensor& output : request.outputs)
        copy_part(meeting.request(static_cast<size_t>(root)).inputs[0], output);
      return;
    }
    case CallKind::kReceive:
      return copy_part(meeting.request(0).inputs[0], request.outputs[0]);
    case CallKind::kSend:
    case CallKind::kBarrier:
      return;
  }
}

/// Combines one segment of everybody's tensor and writes it into everybody's: no other rank touches
/// this segment.
void LocalCommunicator::all_reduce_segment(const Meeting& meeting, const Call& call) {
  const int n = size();
  const int64_t begin = segment_begin(call.sent[0], rank_, n);
  const int64_t count = segment_begin(call.sent[0], rank_ + 1, n) - begin;
  if (n == 1 || count == 0) return;
  const int64_t offset = begin * byte_size(call.dtype);
  std::vector<const std::byte*> sources;
  std::vector<std::byte*> destinations;
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
    sources.push_back(meeting.request(i).input(0) + offset);
    destinations.push_back(meeting.request(i).output(0) + offset);
  }
  combine(call.dtype, call.op, sources, destinations, count);
}

void LocalCommunicator::combine_mine(const Meeting& meeting, const Request& request) {
  std::vector<const std::byte*> sources;
  for (size_t i = 0; i < meeting.members().size(); ++i)
    sources.push_back(meeting.request(i).input(me()));
  std::byte* const destination = request.output(0);
  combine(request.call.dtype, request.call.op, sources, {&destination, 1},
          request.call.received[0]);
}

std::unique_ptr<Communicator> LocalCommunicator::split_checked(std::span<const Rank> ranks) {
  std::vector<Rank> chosen;
  for (const Rank rank : ranks) chosen.push_back(members()[static_cast<size_t>(rank)]);
  const auto place = std::find(ranks.begin(), ranks.end(), rank_) - ranks.begin();
  return std::make_unique<LocalCommunicator>(group_->split(std::move(chosen)),
                                             static_cast<Rank>(place));
}

/// The error that the caller of run_world gets: the first one.
class FirstError {
 public:
  /// Keeps the exception being handled, unless there is one; its text for the other ranks.
  std::string keep(Rank rank, int ranks) {
    const AdoptContext none(nullptr);  // the message has the context of where it was made
    std::exception_ptr error = std::current_exception();
    std::string text;
    try {
      std::rethrow_exception(error);
    } catch (const JobError& failure) {
      text = failure.what();
    } catch (const Error& failure) {
      text = fmt::format("rank {}: {}", rank, failure.what());
      if (ranks > 1) error = std::make_exception_ptr(Error(failure.code(), text));
    } catch (const std::exception& failure) {
      text = fmt::format("rank {}: {}", rank, failure.what());
      if (ranks > 1) error = std::make_exception_ptr(Error(ErrorCode::kInternal, text));
    } catch (...) {
      text = fmt::format("rank {} threw something that is no exception", rank);
    }
    const std::scoped_lock lock(mutex_);
    if (error_ == nullptr) error_ = error;
    return text;
  }
  void rethrow() const {
    if (error_ != nullptr) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
};

}  // namespace

void run_local(const WorldOptions& options, const Body& body) {
  Job job(options.ranks, options.timeout_seconds);
  std::vector<Rank> everybody(static_cast<size_t>(options.ranks));
  std::iota(everybody.begin(), everybody.end(), 0);
  const auto group = std::make_shared<Group>(job, std::move(everybody));
  FirstError first;
  const ContextLink* chain = ContextLink::innermost();
  const auto run_rank = [&](Rank rank) {
    const AdoptContext adopt(chain);
    try {
      LocalCommunicator world(group, rank);
      body(world);
    } catch (...) {  // a rank's end: the error travels to the caller
      job.abort(first.keep(rank, options.ranks));
    }
    job.end(rank);
  };
  {
    std::vector<std::jthread> threads;
    bool has_all = true;
    try {
      for (Rank rank = 1; rank < options.ranks; ++rank) threads.emplace_back(run_rank, rank);
    } catch (const std::system_error& error) {
      has_all = false;
      job.abort(fmt::format("this machine has no thread for rank {} of {}: {}", threads.size() + 1,
                            options.ranks, error.what()));
    }
    if (has_all) run_rank(0);
  }
  first.rethrow();
  if (job.is_aborted()) job.throw_reason();
}

}  // namespace tessera::internal
