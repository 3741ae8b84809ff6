// Moves the bytes of a plan: reads slabs of the source into staging memory, compares replicas,
// hands on what the destination wants. It decides nothing.
#pragma once

#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "tessera/reshard/internal/idle.h"
#include "tessera/reshard/internal/output_files.h"
#include "tessera/reshard/internal/slabs.h"
#include "tessera/reshard/reshard.h"

namespace tessera::internal {

/// Digests of the source by record: of what is needed of it, and of what each of the destination's
/// different slices holds.
struct SourceDigests {
  std::vector<Digest> records;
  std::vector<std::unordered_map<uint32_t, Digest>> slices;  // by the index of the slices
};

struct StreamCounts {
  uint64_t bytes_read = 0;
  uint64_t bytes_compared = 0;
  uint64_t bytes_written = 0;
};

/// The end of a message that replicas of a record differ: why they had to be equal.
std::string why_equal(const Source& source, uint32_t record);

class Stream {
 public:
  /// A box of a record that is to be in memory.
  struct Want {
    uint32_t record = 0;
    Box box;
  };
  /// A region's part in it, in staging memory: row-major, as the elements are in memory.
  struct Slot {
    uint32_t record = 0;
    uint32_t region = 0;
    uint32_t piece = 0;  // that it is read from
    Box box;
    std::span<std::byte> memory;
  };
  struct Run {
    int file = 0;
    uint64_t offset = 0;
    std::span<std::byte> memory;
  };
  struct Segment {
    uint64_t to = 0;  // byte of the destination's run
    std::span<const std::byte> bytes;
  };
  /// What one thread works in; used again and again.
  struct Workspace {
    std::vector<std::byte> staging, other, joined;
    std::vector<Want> wants;
    std::vector<Slot> slots;
    std::vector<Run> runs;
    std::vector<Segment> segments;
    std::vector<std::span<std::byte>> scatter;
    std::vector<std::span<const std::byte>> gather;
    StreamCounts counts;
  };

  /// `sink` may be null: then everything is read, compared and digested only.
  Stream(const Source& source, const Destination& destination, const ReshardPlan& plan,
         ContentSink* sink)
      : source_(source), destination_(destination), plan_(plan), sink_(sink) {}

  /// Collects digests while the bytes pass.
  void want_digests(SourceDigests& digests) { digests_ = &digests; }
  /// `progress` gets what was done so far, from any thread, one call at a time.
  void on_progress(std::function<void(const StreamCounts&)> progress) {
    progress_ = std::move(progress);
  }
  /// Throws kCorruptData where replicas differ.
  StreamCounts run();
  /// Reads work.wants, whose boxes the plan must need, into work.slots, records in order, and
  /// compares replicas. Thread-safe.
  void load(Workspace& work) const;
  /// Reads work.slots, giving them memory. Thread-safe.
  void read_slots(Workspace& work) const;

 private:
  void process(const SlabItem& item, Workspace& work);
  void collect(Workspace& work) const;
  Box slab_of(const SlabItem& item, const Record& record) const;
  void add_runs(const Slot& slot, uint32_t piece, std::span<std::byte> memory,
                std::vector<Run>& runs) const;
  void read(Workspace& work) const;
  void decode(const Slot& slot, uint32_t piece, std::span<std::byte> memory) const;
  void compare_replicas(Workspace& work) const;
  [[noreturn]] void fail_differs(const Slot& slot, uint32_t replica,
                                 std::span<const std::byte> other) const;
  void add_digests(std::span<const Slot> slots, const Route& route) const;
  void write_record(std::span<const Slot> slots, const Box& slab, Workspace& work) const;
  void write_slice(const Place& place, const Feed& feed, std::span<const Slot> slots,
                   const Box& slab, Workspace& work) const;
  uint64_t begin_of_slice(const Feed& feed, uint64_t width) const;

  const Source& source_;
  const Destination& destination_;
  const ReshardPlan& plan_;
  ContentSink* sink_;
  SourceDigests* digests_ = nullptr;
  std::function<void(const StreamCounts&)> progress_;
  mutable std::mutex mutex_;
  Idle<Workspace> idle_;
  StreamCounts total_;
};

}  // namespace tessera::internal
