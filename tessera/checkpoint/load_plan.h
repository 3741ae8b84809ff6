// From stored pieces to tensors: plan_load says which bytes feed which tensor, verify proves it,
// execute moves the bytes. Only execute touches files, and it decides nothing.
//
//   const std::vector<Target> targets{{"fc1.weight", DType::kF32, {120, 400}, whole({120, 400})}};
//   std::vector<Tensor> tensors = load_tensors(checkpoint, targets);
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tessera/checkpoint/checkpoint.h"
#include "tessera/tensor/tensor.h"

namespace tessera {

/// What one tensor in memory must hold: the elements `box` of the stored tensor `name`.
struct Target {
  std::string name;
  DType dtype = DType::kF32;
  Shape global;
  Box box;

  bool operator==(const Target&) const = default;
};

/// `box` (in global coordinates) of a target comes from one piece of one record.
struct Transfer {
  size_t target = 0;
  size_t record = 0;  // index into Catalog::records
  size_t piece = 0;
  Box box;

  bool operator==(const Transfer&) const = default;
};

/// One sized read that feeds transfers, which are sorted by their place in the file.
struct Read {
  int file = 0;
  ByteRange bytes;
  std::vector<size_t> transfers;

  bool operator==(const Read&) const = default;
};

struct LoadOptions {
  int threads = 0;  // 0: default_thread_count()
  /// A target that lies raw, whole and aligned in one piece becomes a view of the mapped file.
  /// Faster for warm files on a local disk; but a file that somebody cuts meanwhile kills the
  /// process, and the weights change when the file does.
  bool map = false;
  /// With `map`: views also where elements do not lie at a multiple of their size. Such tensors are
  /// for Program::compile and for copying alone.
  bool unaligned = false;
  uint64_t largest_gap = 4096;                // bytes between pieces that are read and dropped
  uint64_t largest_read = uint64_t{8} << 20;  // of reads that are merged, and of their parts

  bool operator==(const LoadOptions&) const = default;
};

struct LoadPlan {
  std::vector<Transfer> transfers;
  std::vector<Read> reads;  // sorted by file and offset
  LoadOptions options;

  bool operator==(const LoadPlan&) const = default;
};

/// Targets that ask for the whole of each tensor record, in catalog order.
std::vector<Target> targets_of(const Catalog& catalog);

/// Throws kNotFound with the nearest names when a target's record is not there, kInvalidArgument
/// when its dtype or shape differs.
LoadPlan plan_load(const Catalog& catalog, std::span<const Target> targets,
                   const LoadOptions& options = {});
/// Throws kInternal unless the plan writes every element of every target exactly once, from bytes
/// that a read brings. Shares no code with plan_load.
void verify(const LoadPlan& plan, const Catalog& catalog, std::span<const Target> targets);

/// Where loaded bytes go. execute calls from several threads, for each target at most one of
/// accept_view (then it is done) or any number of memory.
class Sink {
 public:
  virtual ~Sink() = default;
  /// Where the row-major elements of a target are to be written.
  virtual std::span<std::byte> memory(size_t target) = 0;
  /// Called before a part of such memory is written, from the thread that writes it.
  virtual void prepare(std::span<std::byte> part);
  /// Takes the elements as they lie in a mapped file; false to have them written instead.
  virtual bool accept_view(size_t target, std::span<const std::byte> bytes,
                           const std::shared_ptr<const void>& owner);
};

/// Moves the bytes. `plan` must have passed verify with the same catalog and targets.
void execute(const LoadPlan& plan, const Catalog& catalog, std::span<const Target> targets,
             const ByteSource& source, Sink& sink);

/// plan_load, verify and execute into tensors that share one allocation (and views where
/// `options.map`): in the order of `targets`, with the shapes of their boxes.
std::vector<Tensor> load_tensors(const Checkpoint& checkpoint, std::span<const Target> targets,
                                 const LoadOptions& options = {});
/// All of one record of the checkpoint, or of a part of one.
Tensor load_record(const Checkpoint& checkpoint, const Record& record,
                   const LoadOptions& options = {});

/// One line per read and transfer, for people.
std::string to_string(const LoadPlan& plan, const Catalog& catalog,
                      std::span<const Target> targets);

}  // namespace tessera
