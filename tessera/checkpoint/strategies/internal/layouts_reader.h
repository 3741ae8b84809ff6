// Reads the text of layouts.txt, which docs/formats/layouts-txt.md describes:
//
//   mesh {dp=2,tp=4}
//   layers.*.weight  [tp, -]  opt=2
//   *                [...]
#pragma once

#include <string_view>

#include "tessera/checkpoint/strategy.h"

namespace tessera::internal {

/// Throws kCorruptData with the line and the column.
Strategy read_layouts(std::string_view text);

/// Whether the first line that says something is one of layouts.txt. The text may end anywhere.
bool begins_like_layouts(std::string_view text);

/// Whether everything that `narrow` matches is matched by `wide` too. Both are patterns with '*'
/// and '?'. Says no in rare cases where it is so.
bool covers(std::string_view wide, std::string_view narrow);

/// The words that begin a line which is not a parameter's.
bool is_keyword(std::string_view word);

}  // namespace tessera::internal
