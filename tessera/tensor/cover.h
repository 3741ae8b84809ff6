// Chooses which pieces to copy to fill a box: the core of checkpoint loading and of moving a tensor
// between arrangements of ranks.
#pragma once

#include <span>
#include <vector>

#include "tessera/tensor/box.h"

namespace tessera {

struct Copy {
  size_t piece;  // index into the pieces
  Box box;       // what to copy, in global coordinates

  bool operator==(const Copy&) const = default;
};

/// Copies that fill `wanted` exactly once. Pieces may overlap, as replicas do; earlier pieces are
/// preferred. Throws kNotFound, naming the first missing region, when the pieces leave a hole.
std::vector<Copy> cover(std::span<const Box> pieces, const Box& wanted);
/// The same without the error: returns the regions that no piece holds, disjoint.
std::vector<Box> cover(std::span<const Box> pieces, const Box& wanted, std::vector<Copy>& copies);

/// Whether the pieces hold all of `wanted`.
bool covers(std::span<const Box> pieces, const Box& wanted);
/// `box` without what `holes` hold, as disjoint boxes.
std::vector<Box> subtract(const Box& box, std::span<const Box> holes);

}  // namespace tessera
