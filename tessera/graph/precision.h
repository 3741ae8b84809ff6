// In which type a program multiplies: "f32" or "bf16".
#pragma once

#include <cstdint>
#include <string_view>

namespace tessera {

/// kBf16: convolutions and dense layers round what they multiply to bf16 (8 bits of precision, to
/// nearest even) and add up in f32; what lies between nodes, and everything else, stays f32.
enum class Precision : uint8_t { kF32, kBf16 };

std::string_view to_string(Precision precision);
/// Throws kInvalidArgument with the names that there are.
Precision parse_precision(std::string_view text);

}  // namespace tessera
