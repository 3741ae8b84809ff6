// From a source and a destination to what is read and where it goes. Tensors of equal shape that
// are cut alike share a route: the plan of a large job is made once per kind of tensor.
//
//   const ReshardPlan plan = plan_reshard(source, destination, {});
//   verify(plan, source, destination);
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "tessera/reshard/destination.h"
#include "tessera/reshard/source.h"

namespace tessera {

/// Which replicas are read and compared with each other.
enum class ReplicaCheck : uint8_t {
  kReadFiles,  // those in files that are read anyway, and everything that the strategy does not
               // name
  kAll,
  kNone,  // not even the unnamed ones
};

struct PlanOptions {
  ReplicaCheck replicas = ReplicaCheck::kReadFiles;
  std::vector<Rank> ranks;                // of the destination, ascending; empty: all
  uint64_t memory = uint64_t{256} << 20;  // bytes of staging, all threads together
  int threads = 0;                        // 0: default_thread_count()
  /// Shorter gaps between needed bytes of a file are read over: a read of their own costs more.
  static constexpr uint64_t kGap = 256;
};

/// A region of a tensor and the piece of the record it is read from.
struct Region {
  uint32_t piece = 0;
  Box box;
  std::vector<uint32_t> replicas;  // further pieces that hold the same
};

/// A box of some destination rank and the regions that fill it.
struct Feed {
  uint32_t slices = 0;  // index into Destination::slices
  uint32_t slice = 0;   // which of them
  std::vector<uint32_t> regions;
};

/// How the tensors of one kind move.
struct Route {
  uint32_t example = 0;         // a record of the kind
  std::vector<Region> regions;  // disjoint; together what the destination needs
  std::vector<Feed> feeds;      // each different destination box once
};

struct RankPlan {
  Rank rank = 0;
  uint64_t tensors = 0;
  uint64_t transfers = 0;  // regions of pieces that it takes
  uint64_t reads = 0;      // of files, when this rank is made alone
  uint64_t bytes = 0;      // of its tensors
  bool operator==(const RankPlan&) const = default;
};

struct ReshardPlan {
  static constexpr uint32_t kNoRoute = std::numeric_limits<uint32_t>::max();

  std::vector<Route> routes;
  std::vector<uint32_t> route_of;   // by record; kNoRoute: not needed, or no tensor
  std::vector<bool> compares_file;  // by the index in Catalog::files: replicas in it are compared
  std::vector<RankPlan> ranks;      // those that are made
  uint64_t bytes_needed = 0;        // of the source, without replicas; each is read once
  uint64_t bytes_compared = 0;      // of replicas
  uint64_t bytes_written = 0;       // of tensors, all ranks together
  uint64_t reads = 0;               // of files, all ranks together
  uint64_t staging = 0;             // bytes per thread
  uint64_t peak_memory = 0;         // staging of all threads, without the plan itself
  PlanOptions options;
};

/// Throws kNotFound naming the tensor and the ranges that no file holds.
ReshardPlan plan_reshard(const Source& source, const Destination& destination,
                         const PlanOptions& options = {});
/// Throws kInternal unless every element of every destination box is filled exactly once, from a
/// piece that holds it. Shares no code with plan_reshard.
void verify(const ReshardPlan& plan, const Source& source, const Destination& destination);

/// Whether the replica `piece` of a record is compared.
bool is_compared(const ReshardPlan& plan, const Source& source, uint32_t record, uint32_t piece);

/// The plan for people: totals, then a line per rank.
std::string to_string(const ReshardPlan& plan, const Source& source);
/// Who reads what: per tensor and destination rank the regions and their files.
std::string describe_transfers(const ReshardPlan& plan, const Source& source,
                               const Destination& destination);

}  // namespace tessera
