// Finds values by name. It knows the first so many values of a graph; those that were appended
// since are looked at one by one until the next sync().
#pragma once

#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tessera {

struct ValueInfo;

class NameIndex {
 public:
  /// The place of the value called `name`. A name that was changed without rename() is not found.
  std::optional<int> find(const std::vector<ValueInfo>& values, std::string_view name) const;
  /// Learns the values that were appended since; all of them when there are fewer than before.
  void sync(const std::vector<ValueInfo>& values);
  /// To be called after the name of values[id] was changed.
  void rename(const std::vector<ValueInfo>& values, int id);

 private:
  size_t known_ = 0;
  std::unordered_multimap<size_t, int> ids_;  // by the hash of the name; entries may be stale
};

}  // namespace tessera
