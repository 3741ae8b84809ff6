// A program as text for people: its steps with their kernels, formats and reasons, then its memory.
#pragma once

#include <span>
#include <string>

#include "tessera/runtime/internal/memory_plan.h"
#include "tessera/runtime/internal/steps.h"

namespace tessera::internal {

/// "conv2d+bias+relu of conv1", "reorder", "copy".
std::string op_text(const Step& step);
/// The kernel and what it says of itself.
std::string kernel_text(const Step& step);

/// `offsets`: per storage where it lies in the arena, -1 where it does not.
std::string explain(const Steps& steps, const MemoryPlan& memory, std::span<const int64_t> offsets,
                    int threads);

}  // namespace tessera::internal
