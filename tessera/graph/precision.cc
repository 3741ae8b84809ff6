#include "tessera/graph/precision.h"

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {

std::string_view to_string(Precision precision) {
  return precision == Precision::kBf16 ? "bf16" : "f32";
}

Precision parse_precision(std::string_view text) {
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    if (to_string(precision) == text) return precision;
  }
  fail(ErrorCode::kInvalidArgument, "'{}' is no precision; there are f32, bf16", printable(text));
}

}  // namespace tessera
