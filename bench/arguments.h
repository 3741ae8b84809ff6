// What the programs of inference and training read from their command lines.
#pragma once

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace bench {

/// Throws kInvalidArgument unless the text is an integer above 0.
inline int64_t positive(std::string_view text) {
  const std::optional<int64_t> value = tessera::parse_int(text);
  tessera::require(value.has_value() && *value > 0, "'{}' is no number above 0",
                   tessera::printable(text));
  return *value;
}

}  // namespace bench
