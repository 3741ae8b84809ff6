// Steps that look results up: what becomes of a byte, by its channel. A chain makes them of its
// elementwise steps on unsigned bytes.
#pragma once

#include <memory>
#include <span>

#include "tessera/data/transform.h"

namespace tessera::internal {

constexpr int64_t kByteValues = 256;

/// Rows u8 [..., channels] through `table`, [256, channels] elements of the result's type.
/// `planes`: the three channels of [h,w,3] go into planes. Null where an element has another size
/// than 1, 2, 4 or 8 bytes. The step takes lines (line_steps.h).
std::shared_ptr<const RowStep> make_table_step(const RowType& result, int64_t channels, bool planes,
                                               std::span<const std::byte> table);

}  // namespace tessera::internal
