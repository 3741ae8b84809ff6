// YAML from outside as a small tree of text: every scalar stays the text that it was. Depth, nodes
// and bytes are limited; aliases (by which a few lines can stand for terabytes) are refused.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tessera::hub::internal {

struct YamlTree {
  enum class Kind { kNull, kScalar, kSequence, kMap };
  Kind kind = Kind::kNull;
  int line = 0;  // of the text, from 0
  std::string scalar;
  std::vector<YamlTree> items;    // of a sequence; of a map its values, in the order of the text
  std::vector<std::string> keys;  // of a map, one for each item

  bool is_scalar() const { return kind == Kind::kScalar || kind == Kind::kNull; }
};

struct YamlFault {
  std::string reason;
  int line = -1;            // from 0; -1: not known
  bool is_refused = false;  // YAML, but more of it than is read here
};

/// The one document in `text`, or in `fault` why it is none.
bool read_yaml(std::string_view text, YamlTree& tree, YamlFault& fault);

}  // namespace tessera::hub::internal
