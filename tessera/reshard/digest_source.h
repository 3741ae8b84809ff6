// Digests of everything that a checkpoint holds, the same however it is cut over files and ranks.
//
//   digest_source(open_source(eight_ranks, &strategy)).total ==
//       digest_source(open_source(whole_file, nullptr)).total
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tessera/checkpoint/digest.h"
#include "tessera/reshard/plan.h"

namespace tessera {

struct RecordDigest {
  std::string name;
  std::string what;  // "f32[120,400]", "string", "map"
  Digest digest;
  bool operator==(const RecordDigest&) const = default;
};

struct SourceDigest {
  std::vector<RecordDigest> records;  // in catalog order
  /// Of names, dtypes, shapes and values together; the order of the records does not count.
  Digest total;
  uint64_t bytes_read = 0;  // of tensors, replicas that are compared included
  uint64_t bytes_compared = 0;
};

struct DigestOptions {
  PlanOptions plan;  // memory, threads, and which replicas are compared
  /// Called with the bytes read so far of all, from any thread, one call at a time.
  std::function<void(uint64_t done, uint64_t total)> progress;
};

/// Reads every tensor once, in slabs. Throws kCorruptData where replicas differ, kNotFound naming
/// the ranges that no file holds.
SourceDigest digest_source(const Source& source, const DigestOptions& options = {});

/// The digest of several records together, in any order.
Digest combine(const std::vector<RecordDigest>& records);

}  // namespace tessera
