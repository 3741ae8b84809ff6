// All ops, from the files of tessera/ops and the kernels of tessera/ops/cpu.
#pragma once

#include <span>
#include <string_view>

#include "tessera/graph/op_def.h"

namespace tessera {

/// Every op, sorted by name.
std::span<const OpDef> all_ops();
/// The op called `name`; null when there is none.
const OpDef* find_op(std::string_view name);
/// The same; throws kInvalidArgument with the nearest names.
const OpDef& require_op(std::string_view name);

/// A kernel that turns a tensor of this type from one memory format into another; at least one of
/// them is not plain. Never fails for formats that kernels of this build have chosen.
std::unique_ptr<PreparedKernel> prepare_reorder(const TensorType& type, const Format& from,
                                                const Format& to);

}  // namespace tessera
