// Some rows of a source, in the notation that follows its place: the rows FIRST … END - 1, either
// of them may be left out.
//
//   cifar10:DIR[:8000]      cifar10:DIR[8000:]      digits:train[100:200]
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "tessera/data/row_source.h"

namespace tessera::internal {

struct RowRange {
  int64_t first = 0;
  std::optional<int64_t> end = {};  // nothing: to the last row
};

/// The notation without its range, and the range; nothing where it ends in none: "folder:a[b]" is
/// a folder's name. Throws kInvalidArgument for numbers in the wrong order.
std::pair<std::string_view, std::optional<RowRange>> split_range(std::string_view notation);

/// These rows of `source`, which keep the names that they have there. Throws kInvalidArgument where
/// the source has fewer.
std::shared_ptr<const RowSource> rows_in(std::shared_ptr<const RowSource> source, RowRange range);

}  // namespace tessera::internal
