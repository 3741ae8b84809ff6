// How far apart the elements of two runs of memory are.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tessera/reshard/compare_sources.h"
#include "tessera/tensor/dtype.h"

namespace tessera::internal {

/// Elements that follow each other in memory.
struct Elements {
  DType dtype = DType::kF32;
  const std::byte* bytes = nullptr;
};

/// Adds what differs in `count` elements to `tally`, except for first_beyond. Returns the place in
/// the run of the first element that is not close, or -1.
int64_t compare_run(const Elements& a, const Elements& b, int64_t count, const Tolerance& tolerance,
                    ValueDifference& tally);

}  // namespace tessera::internal
