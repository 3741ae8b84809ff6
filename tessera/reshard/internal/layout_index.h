// Finds the layout of a tensor in a strategy by name, also where there are many of both.
#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "tessera/checkpoint/strategy.h"

namespace tessera::internal {

class LayoutIndex {
 public:
  /// `strategy` may be null, which names nothing, and must outlive this.
  explicit LayoutIndex(const Strategy* strategy);

  /// As Strategy::find.
  const ParameterLayout* find(std::string_view name, int stage) const;
  bool names(std::string_view name) const;

 private:
  const Strategy* strategy_;
  bool has_patterns_ = false;
  std::unordered_map<std::string_view, std::vector<const ParameterLayout*>> by_name_;
};

}  // namespace tessera::internal
