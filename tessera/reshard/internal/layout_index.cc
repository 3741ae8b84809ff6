#include "tessera/reshard/internal/layout_index.h"

namespace tessera::internal {

LayoutIndex::LayoutIndex(const Strategy* strategy) : strategy_(strategy) {
  if (strategy == nullptr) return;
  for (const ParameterLayout& parameter : strategy->parameters) {
    has_patterns_ = has_patterns_ || parameter.is_pattern;
    by_name_[parameter.name].push_back(&parameter);
  }
}

const ParameterLayout* LayoutIndex::find(std::string_view name, int stage) const {
  if (has_patterns_) return strategy_->find(name, stage);
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return nullptr;
  for (const ParameterLayout* parameter : found->second)
    if (parameter->stage == stage) return parameter;
  return nullptr;
}

bool LayoutIndex::names(std::string_view name) const {
  return has_patterns_ ? strategy_->names(name) : by_name_.contains(name);
}

}  // namespace tessera::internal
