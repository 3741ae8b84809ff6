// The part of `tessera explain` that shows a model on several ranks, none of which runs: the placed
// graph as text, JSON or a picture, and the memory that each rank needs.
#pragma once

#include <string>

#include "cli/rank_options.h"
#include "tessera/model/model.h"

namespace tessera::cli {

struct PlacedRequest {
  ModelSpec spec;
  Shape row_shape;
  int64_t rows = 1;
  RunOptions run;  // threads: of all ranks of this machine together
  const RankOptions* ranks = nullptr;
  std::string dot;  // files to write; empty: none
  std::string svg;
  bool json = false;
};

void explain_placed(const PlacedRequest& request);

}  // namespace tessera::cli
