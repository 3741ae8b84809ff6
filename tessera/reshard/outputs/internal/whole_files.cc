#include "tessera/reshard/outputs/internal/whole_files.h"

#include <algorithm>
#include <numeric>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/reshard/outputs/internal/rank_files.h"

namespace tessera::internal {

const std::vector<Holding>& whole_tensors(const OutputRequest& request) {
  check_whole(request);
  check_contents(request, ".safetensors");
  const std::vector<Holding>& entries = request.destination.ranks[0];
  require(!entries.empty(), "there is nothing to write");
  return entries;
}

uint64_t bytes_of(const OutputRequest& request, const Holding& holding) {
  return byte_count(request.catalog.records.at(holding.record));
}

std::vector<std::vector<Holding>> balanced_parts(const OutputRequest& request,
                                                 std::vector<Holding> entries, uint64_t most) {
  std::vector<std::pair<uint64_t, Holding>> sized;
  uint64_t total = 0;
  for (const Holding& entry : entries) {
    sized.emplace_back(bytes_of(request, entry), entry);
    total += sized.back().first;
  }
  std::stable_sort(sized.begin(), sized.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  const uint64_t wanted = total / most + (total % most != 0 ? 1 : 0);
  const size_t count = std::clamp<size_t>(wanted, 1, std::max<size_t>(entries.size(), 1));
  std::vector<std::vector<Holding>> parts(count);
  // The smallest part is the one that sorts first: by bytes, then by number.
  std::set<std::pair<uint64_t, size_t>> by_size;
  for (size_t i = 0; i < count; ++i) by_size.emplace(0, i);
  for (const auto& [bytes, entry] : sized) {
    auto smallest = by_size.extract(by_size.begin());
    parts[smallest.value().second].push_back(entry);
    smallest.value().first += bytes;
    by_size.insert(std::move(smallest));
  }
  return parts;
}

std::vector<std::vector<Holding>> filled_parts(const OutputRequest& request,
                                               const std::vector<Holding>& entries, uint64_t most) {
  std::vector<std::vector<Holding>> parts;
  std::vector<Holding> open;
  uint64_t filled = 0;
  for (const Holding& entry : entries) {
    const uint64_t bytes = bytes_of(request, entry);
    if (bytes > most) {
      parts.push_back({entry});
      continue;
    }
    if (filled + bytes > most) {
      parts.push_back(std::move(open));
      open.clear();
      filled = 0;
    }
    open.push_back(entry);
    filled += bytes;
  }
  if (!open.empty()) parts.push_back(std::move(open));
  return parts;
}

std::string index_json(const OutputRequest& request, const std::vector<NamedPart>& parts,
                       size_t indent, bool sorted) {
  std::vector<std::pair<std::string_view, std::string_view>> map;
  uint64_t total = 0;
  for (const NamedPart& part : parts) {
    for (const Holding& entry : part.entries) {
      map.emplace_back(request.catalog.records.at(entry.record).name, part.name);
      total += bytes_of(request, entry);
    }
  }
  if (sorted) std::sort(map.begin(), map.end());
  const std::string one(indent, ' ');
  const std::string two(2 * indent, ' ');
  std::string text =
      fmt::format("{{\n{}\"metadata\": {{\n{}\"total_size\": {}\n{}}},\n", one, two, total, one);
  text += fmt::format("{}\"weight_map\": {{", one);
  std::string_view before = "\n";
  for (const auto& [name, file] : map) {
    text += before;
    text += two;
    text += '"';
    text += json_escape(name);
    text += "\": \"";
    text += file;
    text += '"';
    before = ",\n";
  }
  text += fmt::format("\n{}}}\n}}", one);
  return text;
}

}  // namespace tessera::internal
