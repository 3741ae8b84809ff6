// Which mesh axes split which factors of one node, for the fewest bytes moved.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tessera/layout/redistribute.h"
#include "tessera/layout/rule_layouts.h"
#include "tessera/tensor/dtype.h"

namespace tessera::internal {

/// Plans of redistribution, each made once.
class Plans {
 public:
  explicit Plans(const CostModel& model) : model_(model) {}

  struct Priced {
    Plan plan;
    double cost = 0;
  };
  const Priced& find(const Layout& from, const Layout& to, const Shape& global,
                     int64_t element_bytes);

 private:
  CostModel model_;
  std::unordered_map<std::string, Priced> plans_;
};

/// An operand as it is at hand.
struct Present {
  Layout layout;
  Shape shape;
  int64_t element_bytes = 4;
  bool is_free = false;  // lies as the node wants it; `layout` says only its mesh
};

struct Choice {
  RuleLayouts layouts;
  double cost = 0;
};

/// A node to be placed on `mesh`.
struct Question {
  const ShardingRule& rule;
  MeshPtr mesh;
  std::vector<Present> operands;
  /// Per result where it will be wanted; nothing, or none at all: where it is whole.
  std::vector<std::optional<Layout>> goals = {};
  bool whole_sums = false;  // no factor that is summed is cut
};

/// The placement that moves least: of the operands to where they are wanted, and of results to
/// their goals, or of partial ones to where they are whole. Of equal ones that which cuts more.
/// Only cuts that some operand or goal has already are tried.
Choice choose(const Question& question, Plans& plans);

}  // namespace tessera::internal
