// Ranks, and how their values combine.
#pragma once

#include <cstdint>
#include <string_view>

namespace tessera {

/// A process of a distributed job, counted from 0.
using Rank = int;

/// How values of ranks that hold partial results combine.
enum class ReduceOp : uint8_t { kSum, kMax, kMin };

std::string_view to_string(ReduceOp op);

}  // namespace tessera
