// What the builder of graphs and the reader of their text share: names of values, and adding a node
// whose results are named already.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tessera/graph/graph.h"

namespace tessera::internal {

/// Whether a value's name may hold `c`: no blanks, no control bytes, none of , ( ) { } = # ".
bool is_name_character(char c);
/// Throws kInvalidArgument unless `name` can name a value.
void check_value_name(std::string_view name);

struct NewNode {
  const OpDef* op = nullptr;
  std::vector<ValueId> operands;
  Attrs attrs;
  std::string scope;
  std::string sharding = {};
  std::vector<std::string> names = {};  // of the results, good and unused; none: v0, v1, ...
};
/// Checks the call and appends it.
void append_node(Graph& graph, NewNode node);

}  // namespace tessera::internal
