// What every rank of a placed model needs, found without running it: each rank's own graph is
// compiled for real kernels and their formats, but nothing is computed and no page is touched.
//
//   const Spread spread(spec, row_shape, {.place = {.mesh = parse_mesh("{dp=2,tp=4}")}}, 8);
//   for (const RankMemory& rank : predict_memory(spread.placed(32), {})) rank.peak();
#pragma once

#include <vector>

#include "tessera/model/model.h"

namespace tessera {

/// In bytes.
struct RankMemory {
  Rank rank = 0;
  int64_t parameters = 0;  // as they are loaded; kept also where kernels have copies
  ProgramMemory program;   // for batches of one size

  /// Most that is held at once, beside what the process needs for itself.
  int64_t peak() const;
};

/// One per rank of the placement. `options`: threads are those of one rank.
std::vector<RankMemory> predict_memory(const Placed& placed, const RunOptions& options);

}  // namespace tessera
