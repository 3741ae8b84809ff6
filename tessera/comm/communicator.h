// Ranks that move buffers between each other: threads of one process, processes of mpirun, or one
// rank alone. What moves where is decided above; here it moves.
//
//   run_world({.backend = "local", .ranks = 4}, [](Communicator& world) {
//     Tensor sum = Tensor::scalar(static_cast<float>(world.rank()));
//     world.all_reduce(sum, ReduceOp::kSum);  // 6 on every rank
//   });
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/tensor/rank.h"
#include "tessera/tensor/tensor.h"

namespace tessera {

/// A group of ranks, counted from 0. Every member calls the same collectives in the same order; one
/// thread per rank. Tensors are contiguous; parts may differ in size and may be empty. What the
/// ranks disagree on (the call, dtype, sizes, operation, root) is an error on all of them: kComm,
/// naming two ranks and what each wants. When a rank aborts, every other rank's next or current
/// call throws kComm with that rank's message.
class Communicator {
 public:
  virtual ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  virtual std::string_view backend() const = 0;  // "local", "mpi", "single"
  virtual Rank rank() const = 0;
  virtual int size() const = 0;
  /// Per rank a number that is equal for ranks of one machine.
  virtual std::span<const int> machines() const = 0;

  /// Combines the tensors of all ranks element by element, in place. The result is the same on all
  /// ranks, bit for bit, and from run to run. f16 and bf16 are summed in f32 and rounded once.
  virtual void all_reduce(Tensor& tensor, ReduceOp op) = 0;
  /// parts[i] becomes rank i's `mine`.
  virtual void all_gather(const Tensor& mine, std::span<Tensor> parts) = 0;
  /// `mine` becomes the combination of every rank's parts[own rank].
  virtual void reduce_scatter(std::span<const Tensor> parts, Tensor& mine, ReduceOp op) = 0;
  /// receive[i] becomes rank i's send[own rank]. The two sides may have different shapes of equal
  /// element count.
  virtual void all_to_all(std::span<const Tensor> send, std::span<Tensor> receive) = 0;
  virtual void broadcast(Tensor& tensor, Rank root) = 0;
  /// Waits for the receiver, whatever the size: two ranks that both send to each other first wait
  /// in vain, which is an error. Several at once, in all directions, are an all_to_all.
  virtual void send(const Tensor& tensor, Rank to) = 0;
  virtual void receive(Tensor& tensor, Rank from) = 0;
  virtual void barrier() = 0;

  /// The communicator of these ranks (distinct, this one among them), in whose numbering ranks[i]
  /// is i: sums are in that order. Called by them alone, with the same list, in the same order. It
  /// must not outlive this one.
  virtual std::unique_ptr<Communicator> split(std::span<const Rank> ranks) = 0;
  /// Ends the job: every rank's calls throw from now on, with this reason. Never throws.
  virtual void abort(std::string_view reason) noexcept = 0;

  /// The same as split(), made once per list of ranks and kept.
  Communicator& group(std::span<const Rank> ranks);

 protected:
  Communicator() = default;

 private:
  std::map<std::vector<Rank>, std::unique_ptr<Communicator>> groups_;
};

/// Throws kComm on every rank, naming two that differ, unless all give the same text: `what` says
/// what it is, "arguments" or "graph". Collective.
void require_agreement(Communicator& world, std::string_view what, std::string_view text);

struct WorldOptions {
  std::string backend = "local";  // local: threads; mpi: this process is one of mpirun's; single
  int ranks = 1;                  // of local; mpi: 0, or what mpirun must have started
  /// A rank that waits longer than this for another ends the job. 0: waits for ever.
  double timeout_seconds = 600;
};

/// Whether mpirun (or another launcher that OpenMPI knows) has started this process with others.
bool is_under_mpirun();
/// Whether this build has MPI; without it asking for it is kUnsupported, with how to get it.
bool has_mpi();

/// Runs `body` on every rank and waits: on threads of this process (rank 0 on the caller's), or,
/// for mpi, in this process with the others' help, once per process. When a rank throws, all ranks
/// end, and the first rank's error is thrown here, of its code, as "rank 2: ..." (an error of all
/// ranks, such as disagreement, names its ranks itself; that of a rank alone comes as it is).
/// Processes of mpirun do not come back then: the first to fail prints that text to stderr and ends
/// them all, with status 1; so it is when a wait takes too long. Throws kUnsupported for a backend
/// that is not there, kInvalidArgument for numbers of ranks that do not fit.
void run_world(const WorldOptions& options, const std::function<void(Communicator&)>& body);

}  // namespace tessera
