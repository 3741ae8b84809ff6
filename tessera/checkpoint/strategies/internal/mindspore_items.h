// What MindSpore's two strategy forms have in common: layouts by name, where the names of a merged
// pipeline strategy begin with the stage ("1-fc.weight"), and the strategies of operators, which
// alone say the stage otherwise.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/checkpoint/strategy.h"

namespace tessera::internal {

struct MindSporeLayout {
  std::string name;  // as stored
  std::vector<int64_t> device_matrix;
  std::vector<std::vector<int64_t>> tensor_map;  // device dims from the right; -1 is none
  std::vector<int64_t> split_rows;
  std::vector<int64_t> row_offsets;
  int64_t field = 0;
  int64_t optimizer_step = 0;
  int64_t optimizer_size = 0;
  std::optional<Shape> shape;
};

struct MindSporeItems {
  int64_t current_stage = 1;
  std::vector<MindSporeLayout> layouts;
  std::vector<OperatorStrategy> operators;
};

/// Checks what comes from outside and builds the strategy; throws kCorruptData naming the
/// parameter.
Strategy to_strategy(MindSporeItems items, std::string_view format);

/// The reverse. Throws kUnsupported naming the first parameter that MindSpore could not read back
/// as it is meant. `nested`: whether several device dims may split one tensor dim.
MindSporeItems from_strategy(const Strategy& strategy, std::string_view format, bool nested);

/// Whether a parameter called so would be taken for one of a merged strategy.
bool begins_with_stage(std::string_view name);
/// A stage number from outside; throws kCorruptData.
int checked_stage(int64_t stage, std::string_view of);

}  // namespace tessera::internal
