// A picture of which rank holds which part of a tensor, for a terminal:
//
//             dim 1
//             0..11   12..23
//     dim 0  ┌───────┬───────┐
//     0..23  │ 0,4   │ 1,5   │
//            ├───────┼───────┤
//     24..47 │ 2,6   │ 3,7   │
//            └───────┴───────┘
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tessera/tensor/box.h"
#include "tessera/tensor/rank.h"

namespace tessera::cli {

struct HeldPart {
  Rank rank = 0;
  Box box;
};

/// The lines of the picture, at most `width` columns wide. Two dims are drawn at most, those that
/// are cut first; there is a picture for every part of the others. What does not fit is left out
/// and counted.
std::vector<std::string> draw_slices(std::span<const HeldPart> parts, size_t width = 80);

/// "0-3,8": ranks in order, at most `limit` columns.
std::string rank_list(std::span<const Rank> ranks, size_t limit);

}  // namespace tessera::cli
