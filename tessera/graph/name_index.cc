#include "tessera/graph/name_index.h"

#include "tessera/graph/graph.h"

namespace tessera {
namespace {

size_t hash(std::string_view name) {
  return std::hash<std::string_view>()(name);
}

}  // namespace

std::optional<int> NameIndex::find(const std::vector<ValueInfo>& values,
                                   std::string_view name) const {
  const auto [begin, end] = ids_.equal_range(hash(name));
  for (auto it = begin; it != end; ++it) {
    const auto id = static_cast<size_t>(it->second);
    if (id < values.size() && values[id].name == name) return it->second;
  }
  // Fewer values than before: nothing is known about the order they have now.
  for (size_t id = known_ <= values.size() ? known_ : 0; id < values.size(); ++id) {
    if (values[id].name == name) return static_cast<int>(id);
  }
  return std::nullopt;
}

void NameIndex::sync(const std::vector<ValueInfo>& values) {
  if (values.size() < known_) {
    ids_.clear();
    known_ = 0;
  }
  for (; known_ < values.size(); ++known_) {
    ids_.emplace(hash(values[known_].name), static_cast<int>(known_));
  }
}

void NameIndex::rename(const std::vector<ValueInfo>& values, int id) {
  sync(values);
  ids_.emplace(hash(values[static_cast<size_t>(id)].name), id);
}

}  // namespace tessera
