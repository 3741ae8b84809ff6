// Who reads what when the ranks of a job load a plan together: every part of a needed region is
// read by one rank that sees its file and sent to the ranks that hold some of it, in rounds of
// bounded memory.
//
//   const ReadPlan reads = assign_readers(plan, source, destination, view);
//   verify(reads, plan, source, destination, view);
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tessera/reshard/plan.h"

namespace tessera {

/// What the ranks of the job see, and where they are.
struct JobView {
  std::vector<std::vector<Rank>> seers;  // by the index in Catalog::files, ascending
  std::vector<int> machines;             // by rank: equal for ranks of one machine

  bool sees(Rank rank, int file) const;
};

enum class ReadSharing : uint8_t {
  kInTotal,     // every byte is read by one rank and sent to all others
  kPerMachine,  // by one rank of every machine that sees it: where storage is faster than the
                // network
};

struct AssignOptions {
  ReadSharing sharing = ReadSharing::kInTotal;
  /// What a rank reads in a round at most, and sends, and receives: each of them.
  uint64_t round_bytes = uint64_t{16} << 20;
};

/// What is read at once of a region: never more than a fraction of a round.
struct ReadPart {
  uint32_t region = 0;  // index into Route::regions
  Box box;
  uint32_t takers = 0;  // who holds some of it: index into ReadPlan::takers
};

/// A part of one record that one rank reads.
struct RankRead {
  static constexpr uint32_t kNothing = std::numeric_limits<uint32_t>::max();

  uint32_t record = 0;
  uint32_t part = 0;   // of its route
  uint32_t piece = 0;  // of the record, that is read
  Rank reader = 0;
  uint32_t takers = 0;                // who gets it; nobody where it is read to be compared only
  uint32_t compared_with = kNothing;  // index into ReadPlan::reads: what it must be equal to
};

/// Bytes that go through one rank.
struct RankTraffic {
  uint64_t read = 0;  // from storage, replicas that are compared included
  uint64_t sent = 0;
  uint64_t received = 0;
  uint64_t held = 0;  // in the end
  bool operator==(const RankTraffic&) const = default;
};

struct ReadPlan {
  std::vector<std::vector<Rank>> takers;     // ascending; the first list is empty
  std::vector<std::vector<ReadPart>> parts;  // by route; disjoint, together its regions
  std::vector<RankRead> reads;               // round by round
  std::vector<uint32_t> rounds;              // round i has reads [rounds[i], rounds[i + 1])
  std::vector<RankTraffic> ranks;
  uint64_t bytes_compared = 0;  // of what is read
  AssignOptions options;

  size_t round_count() const { return rounds.empty() ? 0 : rounds.size() - 1; }
};

/// `plan` must be for all ranks of the destination, which are those of the job. Readers are chosen
/// so that ranks read about equally much, and what they hold themselves rather than what they
/// would have to send. It depends on nothing but the arguments: every rank comes to the same
/// result. Throws kNotFound for a file that is needed and that no rank sees.
ReadPlan assign_readers(const ReshardPlan& plan, const Source& source,
                        const Destination& destination, const JobView& view,
                        const AssignOptions& options = {});
/// Throws kInternal unless every element of what each rank holds reaches it exactly once, from a
/// piece that holds it and a rank that sees it, and rounds keep to their bytes. Shares no code with
/// assign_readers.
void verify(const ReadPlan& reads, const ReshardPlan& plan, const Source& source,
            const Destination& destination, const JobView& view);

/// Of all ranks together.
RankTraffic total(std::span<const RankTraffic> ranks);
/// A line per rank: "rank 2: reads 1 MiB, sends …".
std::string traffic_lines(std::span<const RankTraffic> ranks);
/// Totals, then a line per rank.
std::string to_string(const ReadPlan& reads);

}  // namespace tessera
