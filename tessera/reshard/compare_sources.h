// Two checkpoints of any slicing side by side: which names only one of them has, dtypes, shapes,
// and how far the values are apart.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tessera/reshard/plan.h"

namespace tessera {

/// An element b of the second checkpoint is close to a of the first when |a - b| <= absolute +
/// relative * |b|. With both 0 only equal bits count as equal.
struct Tolerance {
  double relative = 0;
  double absolute = 0;
};

struct ValueDifference {
  uint64_t differing = 0;       // elements with other bits, or other values where dtypes differ
  uint64_t beyond = 0;          // those that are not close
  double largest_absolute = 0;  // of |a - b|; infinite where one is not a number
  double largest_relative = 0;  // of |a - b| / max(|a|, |b|)
  int64_t first_beyond = -1;    // the smallest index of those that are not close, row-major
};

struct CompareOptions {
  Tolerance tolerance;
  PlanOptions plan;  // memory of both together, threads, which replicas are compared
  /// Called with the bytes read so far of all of both, from any thread, one call at a time.
  std::function<void(uint64_t done, uint64_t total)> progress;
};

/// What is not equal about the record `name`.
struct Difference {
  std::string name;
  std::string a, b;         // "f32[120,400]"; "" where the checkpoint lacks it
  bool has_values = false;  // the values were compared: equal shapes, and dtypes that convert
  int64_t elements = 0;
  ValueDifference values;
  Shape first;  // index of the first element that is not close
};

struct Comparison {
  std::vector<Difference> differences;  // names of a in its order, then those that only b has
  std::vector<Difference> close;        // other bits, but all within the tolerance
  uint64_t equal = 0;                   // records that have equal bits
  uint64_t bytes_read = 0;              // of tensors of both, compared replicas included

  bool is_equal() const { return differences.empty(); }
};

/// Streams both in slabs. Tensors whose dtypes differ are a difference; their values are compared
/// as double, except for complex ones. Throws kCorruptData where replicas inside one of the sources
/// differ, kNotFound naming ranges that no file holds.
Comparison compare_sources(const Source& a, const Source& b, const CompareOptions& options = {});

}  // namespace tessera
