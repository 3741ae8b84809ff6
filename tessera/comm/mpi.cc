// Ranks that mpirun has started: the only file that sees MPI. It moves messages; collectives are
// made of those by internal/messages.cc, so that sums do not depend on MPI's choice of algorithm,
// and every wait can end.
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <numeric>
#include <thread>

#include "tessera/base/error.h"
#include "tessera/base/stopwatch.h"
#include "tessera/comm/internal/backends.h"
#include "tessera/comm/internal/deadline.h"
#include "tessera/comm/internal/messages.h"

namespace tessera::internal {
namespace {

// Beyond those of MessageTag.
constexpr int kEndTag = 100;  // a rank's body has returned
constexpr int kSplitTag = 101;

/// MPI counts in int; and each message that is done is a sign of life.
constexpr int64_t kMessageBytes = 4 << 20;

/// Throws kComm with MPI's text unless `code` is success.
void check(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  fail(ErrorCode::kComm, "{} failed: {}", what,
       std::string_view(text.data(), static_cast<size_t>(length)));
}

/// MPI in this process, from its start to its end.
class Session {
 public:
  explicit Session(double timeout_seconds);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  MPI_Comm world() const { return world_; }
  int rank() const { return rank_; }
  int size() const { return size_; }
  double timeout_seconds() const { return timeout_seconds_; }
  const std::vector<int>& machines() const { return machines_; }
  bool has_ended(Rank rank) const;
  /// Whether this machine has more ranks than processors.
  bool is_crowded() const { return is_crowded_; }
  /// Waits for the other ranks' ends and leaves MPI.
  void finish();
  /// Leaves MPI without a word to others, of which there are none.
  void finalize();
  /// Prints the message, if this rank is the first of its machine that fails, and ends all
  /// processes.
  [[noreturn]] void end_job(const std::string& message) noexcept;

 private:
  void find_machines();

  double timeout_seconds_;
  bool owns_mpi_ = false;  // the program around us may have started it
  MPI_Comm world_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  std::vector<int> machines_;
  bool is_crowded_ = false;
  MPI_Win failed_window_ = MPI_WIN_NULL;
  int* failed_ = nullptr;  // one per machine: whether a rank of it has failed
};

/// Requests on one communicator that are under way.
class Pending final : public Messages {
 public:
  /// `members`: of the communicator, in the numbers of the world.
  Pending(Session& session, MPI_Comm comm, std::span<const Rank> members)
      : session_(session), comm_(comm), members_(members) {}

  void send(const void* data, int64_t bytes, Rank peer, MessageTag tag) override {
    send_tagged(data, bytes, peer, static_cast<int>(tag));
  }
  void receive(void* data, int64_t bytes, Rank peer, MessageTag tag) override {
    receive_tagged(data, bytes, peer, static_cast<int>(tag));
  }
  void send_tagged(const void* data, int64_t bytes, Rank peer, int tag);
  void receive_tagged(void* data, int64_t bytes, Rank peer, int tag);
  /// When that takes too long, or a rank waited for has ended, the job ends: the memory that the
  /// requests use cannot be given back.
  void wait(const Call& call) override {
    wait_for([&] { return to_string(call); });
  }
  template <typename Describe>
  void wait_for(const Describe& what);

 private:
  void add(MPI_Request request, Rank peer) {
    requests_.push_back(request);
    peers_.push_back(members_[static_cast<size_t>(peer)]);
  }
  std::vector<Rank> missing() const;
  bool test();
  void back_off(double idle);
  void look_for_trouble(const std::string& what, double waited, double idle);

  Session& session_;
  MPI_Comm comm_;
  std::span<const Rank> members_;
  std::vector<MPI_Request> requests_;
  std::vector<Rank> peers_;  // whom each waits for, in the world
  std::vector<int> finished_;
  std::vector<Rank> ended_;  // as seen by the last look
};

Session::Session(double timeout_seconds) : timeout_seconds_(timeout_seconds) {
  int is_started = 0;
  int is_over = 0;
  MPI_Initialized(&is_started);
  MPI_Finalized(&is_over);
  if (is_over != 0)
    fail(ErrorCode::kUnsupported,
         "MPI has ended in this process and cannot start twice: do everything in one run_world");
  const Deadline deadline("a rank waits for the others to start MPI", timeout_seconds);
  if (is_started == 0) {
    int provided = 0;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided), "MPI_Init_thread");
    owns_mpi_ = true;
  }
  check(MPI_Comm_dup(MPI_COMM_WORLD, &world_), "MPI_Comm_dup");
  MPI_Comm_set_errhandler(world_, MPI_ERRORS_RETURN);
  MPI_Comm_rank(world_, &rank_);
  MPI_Comm_size(world_, &size_);
  find_machines();
}

void Session::find_machines() {
  MPI_Comm machine = MPI_COMM_NULL;
  check(MPI_Comm_split_type(world_, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine),
        "MPI_Comm_split_type");
  int first = rank_;
  check(MPI_Bcast(&first, 1, MPI_INT, 0, machine), "MPI_Bcast");
  machines_.resize(static_cast<size_t>(size_));
  check(MPI_Allgather(&first, 1, MPI_INT, machines_.data(), 1, MPI_INT, world_), "MPI_Allgather");
  int here = 1;
  MPI_Comm_size(machine, &here);
  is_crowded_ = here > static_cast<int>(std::thread::hardware_concurrency());
  void* memory = nullptr;
  const MPI_Aint bytes = first == rank_ ? sizeof(int) : 0;
  if (MPI_Win_allocate_shared(bytes, 1, MPI_INFO_NULL, machine, static_cast<void*>(&memory),
                              &failed_window_) == MPI_SUCCESS) {
    MPI_Aint size = 0;
    int unit = 0;
    MPI_Win_shared_query(failed_window_, 0, &size, &unit, static_cast<void*>(&memory));
    failed_ = static_cast<int*>(memory);
    if (first == rank_) *failed_ = 0;
  }
  check(MPI_Barrier(machine), "MPI_Barrier");
  MPI_Comm_free(&machine);
}

bool Session::has_ended(Rank rank) const {
  int there = 0;
  MPI_Iprobe(rank, kEndTag, world_, &there, MPI_STATUS_IGNORE);
  return there != 0;
}

void Session::finish() {
  std::vector<Rank> everybody(static_cast<size_t>(size_));
  std::iota(everybody.begin(), everybody.end(), 0);
  std::vector<char> ends(everybody.size());
  Pending pending(*this, world_, everybody);
  for (const Rank other : everybody) {
    if (other == rank_) continue;
    pending.receive_tagged(&ends[static_cast<size_t>(other)], 1, other, kEndTag);
    pending.send_tagged("", 1, other, kEndTag);
  }
  pending.wait_for([] { return "the end of the job"; });
  finalize();
}

void Session::finalize() {
  const Deadline deadline(fmt::format("rank {} waits for the others to end MPI", rank_),
                          timeout_seconds_);
  if (failed_window_ != MPI_WIN_NULL) MPI_Win_free(&failed_window_);
  MPI_Comm_free(&world_);
  if (owns_mpi_) MPI_Finalize();
}

void Session::end_job(const std::string& message) noexcept {
  constexpr auto kTimeToBeEnded = std::chrono::seconds(3);
  if (failed_ != nullptr && std::atomic_ref<int>(*failed_).exchange(1) != 0) {
    // Another rank has printed why, and its MPI_Abort ends this process.
    std::this_thread::sleep_for(kTimeToBeEnded);
  } else {
    std::fflush(stdout);
    std::fputs((message + "\n").c_str(), stderr);
    std::fflush(stderr);
  }
  MPI_Abort(MPI_COMM_WORLD, 1);
  _exit(1);
}

std::vector<Rank> Pending::missing() const {
  std::vector<Rank> ranks;
  for (size_t i = 0; i < requests_.size(); ++i)
    if (requests_[i] != MPI_REQUEST_NULL) ranks.push_back(peers_[i]);
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  return ranks;
}

/// Lets MPI work; whether any request is done now that was not before.
bool Pending::test() {
  int count = 0;
  finished_.resize(requests_.size());
  check(MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(), &count, finished_.data(),
                     MPI_STATUSES_IGNORE),
        "MPI_Testsome");
  if (count == MPI_UNDEFINED) {  // all are done
    requests_.clear();
    peers_.clear();
  }
  return count != 0;
}

void Pending::send_tagged(const void* data, int64_t bytes, Rank peer, int tag) {
  for (int64_t begin = 0; begin < bytes; begin += kMessageBytes) {
    MPI_Request request = MPI_REQUEST_NULL;
    const auto length = static_cast<int>(std::min(kMessageBytes, bytes - begin));
    check(MPI_Isend(static_cast<const std::byte*>(data) + begin, length, MPI_BYTE, peer, tag, comm_,
                    &request),
          "MPI_Isend");
    add(request, peer);
  }
}

void Pending::receive_tagged(void* data, int64_t bytes, Rank peer, int tag) {
  for (int64_t begin = 0; begin < bytes; begin += kMessageBytes) {
    MPI_Request request = MPI_REQUEST_NULL;
    const auto length = static_cast<int>(std::min(kMessageBytes, bytes - begin));
    check(MPI_Irecv(static_cast<std::byte*>(data) + begin, length, MPI_BYTE, peer, tag, comm_,
                    &request),
          "MPI_Irecv");
    add(request, peer);
  }
}

template <typename Describe>
void Pending::wait_for(const Describe& what) {
  constexpr double kLook = 0.2;  // seconds between two looks
  const Stopwatch watch;
  double last_progress = 0, last_look = 0;
  for (int round = 1; !requests_.empty(); ++round) {
    const bool progress = test();
    if (!progress && round % 16 != 0) continue;  // the clock costs more than a test
    const double waited = watch.seconds();
    if (progress) last_progress = waited;
    const double idle = waited - last_progress;
    back_off(idle);
    if (waited - last_look < kLook) continue;
    last_look = waited;
    look_for_trouble(what(), waited, idle);
  }
}

/// The longer nothing has happened, the less this rank takes of the processors: at first the rank
/// that it waits for may be busy with the answer, then it computes.
void Pending::back_off(double idle) {
  constexpr double kSpin = 1e-4, kYield = 2e-3, kLongestNap = 1e-3;  // seconds
  if (idle > kYield) {
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(idle / 50, kLongestNap)));
  } else if (idle > kSpin || session_.is_crowded()) {
    std::this_thread::yield();
  }
}

void Pending::look_for_trouble(const std::string& what, double waited, double idle) {
  const std::vector<Rank> ranks = missing();
  const std::string where =
      fmt::format("rank {} waits for {} in {}", session_.rank(), list_ranks(ranks), what);
  // Seen twice: a message that it sent before its end may still have been under way.
  for (const Rank rank : ended_)
    if (std::find(ranks.begin(), ranks.end(), rank) != ranks.end())
      session_.end_job(fmt::format("rank {} has ended while {}", rank, where));
  ended_.clear();
  for (const Rank rank : ranks)
    if (session_.has_ended(rank)) ended_.push_back(rank);
  if (session_.timeout_seconds() > 0 && idle >= session_.timeout_seconds())
    session_.end_job(fmt::format("{}, for {:.3g} s (the timeout is {:.3g} s)", where, waited,
                                 session_.timeout_seconds()));
}

class MpiCommunicator final : public MessageCommunicator {
 public:
  /// Owns `comm` if that is not the world's.
  MpiCommunicator(Session& session, MPI_Comm comm, std::vector<Rank> members, Rank rank)
      : MessageCommunicator(std::move(members), rank), session_(session), comm_(comm) {
    for (const Rank member : this->members())
      machines_.push_back(session_.machines()[static_cast<size_t>(member)]);
  }
  ~MpiCommunicator() override {
    // While an error passes through here the other ranks do not come.
    if (comm_ != session_.world() && std::uncaught_exceptions() == 0) MPI_Comm_free(&comm_);
  }
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  std::string_view backend() const override { return "mpi"; }
  std::span<const int> machines() const override { return machines_; }
  void abort(std::string_view reason) noexcept override {
    session_.end_job(fmt::format("rank {}: {}", session_.rank(), reason));
  }
  std::unique_ptr<Messages> open_messages() override {
    return std::make_unique<Pending>(session_, comm_, members());
  }

 protected:
  std::unique_ptr<Communicator> split_checked(std::span<const Rank> ranks) override;

 private:
  Session& session_;
  MPI_Comm comm_;
  std::vector<int> machines_;
};

std::unique_ptr<Communicator> MpiCommunicator::split_checked(std::span<const Rank> ranks) {
  std::vector<Rank> chosen;
  for (const Rank rank : ranks) chosen.push_back(members()[static_cast<size_t>(rank)]);
  const Deadline deadline(fmt::format("rank {} waits for the others of {} in split",
                                      session_.rank(), list_ranks(chosen)),
                          session_.timeout_seconds());
  MPI_Group all = MPI_GROUP_NULL;
  MPI_Group some = MPI_GROUP_NULL;
  MPI_Comm comm = MPI_COMM_NULL;
  check(MPI_Comm_group(comm_, &all), "MPI_Comm_group");
  check(MPI_Group_incl(all, static_cast<int>(ranks.size()), ranks.data(), &some), "MPI_Group_incl");
  check(MPI_Comm_create_group(comm_, some, kSplitTag, &comm), "MPI_Comm_create_group");
  MPI_Group_free(&some);
  MPI_Group_free(&all);
  const auto place = std::find(ranks.begin(), ranks.end(), rank()) - ranks.begin();
  return std::make_unique<MpiCommunicator>(session_, comm, std::move(chosen),
                                           static_cast<Rank>(place));
}

}  // namespace

void run_mpi(const WorldOptions& options, const Body& body) {
  Session session(options.timeout_seconds);
  try {
    require(options.ranks == 0 || options.ranks == session.size(),
            "{} ranks are asked for, but mpirun has started {}: mpirun -n {} …", options.ranks,
            session.size(), options.ranks);
    std::vector<Rank> everybody(static_cast<size_t>(session.size()));
    std::iota(everybody.begin(), everybody.end(), 0);
    MpiCommunicator world(session, session.world(), std::move(everybody), session.rank());
    body(world);
  } catch (const JobError& error) {
    if (session.size() > 1) session.end_job(error.what());
    session.finalize();
    throw;
  } catch (const std::exception& error) {
    if (session.size() > 1)
      session.end_job(fmt::format("rank {}: {}", session.rank(), error.what()));
    session.finalize();
    throw;
  }
  session.finish();
}

}  // namespace tessera::internal

namespace tessera {

bool has_mpi() {
  return true;
}

}  // namespace tessera
