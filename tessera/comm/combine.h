// Element-wise combination of what several ranks hold, always in the order of the ranks.
#pragma once

#include <span>

#include "tessera/tensor/dtype.h"
#include "tessera/tensor/rank.h"

namespace tessera {

/// Throws kUnsupported, with the reason, unless elements of `dtype` combine by `op`.
void require_combinable(DType dtype, ReduceOp op);

/// Every destination becomes ((sources[0] op sources[1]) op sources[2]) …, element by element:
/// `count` elements from each address on. A destination may be a source. Integers wrap, bool adds
/// as "or", f16 and bf16 are summed in f32 and rounded once; for min and max NaN counts as none.
void combine(DType dtype, ReduceOp op, std::span<const std::byte* const> sources,
             std::span<std::byte* const> destinations, int64_t count);

}  // namespace tessera
