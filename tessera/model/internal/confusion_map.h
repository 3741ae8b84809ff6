// The heat map of which classes are taken for which, as HTML: a table of counts for few classes, a
// drawing for more, in which a cell stands for several classes where there are very many.
#pragma once

#include <span>
#include <string>

#include "tessera/model/eval_record.h"

namespace tessera::internal {

/// The class's name, or its number where it has none.
std::string class_label(std::span<const std::string> names, int64_t index);

/// Rows are labels, columns predictions; the depth of a cell is its share of its row.
std::string confusion_map(const EvalRecord& record, std::span<const std::string> names);

}  // namespace tessera::internal
