#include "tessera/checkpoint/formats/internal/shard_files.h"

#include <algorithm>
#include <set>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {
const CheckpointFormat& format_safetensors();
}

namespace tessera::internal {
namespace {

constexpr uint64_t kLongestIndex = 100'000'000;

}  // namespace

void JoinedCheckpoint::add(Checkpoint one) {
  const int first = file_count();
  for (Record& record : one.catalog.records) {
    for (Piece& piece : record.pieces) piece.file += first;
    for (Record& part : record.parts)
      for (Piece& piece : part.pieces) piece.file += first;
    catalog_.records.push_back(std::move(record));
  }
  add_file(std::move(one));
}

void JoinedCheckpoint::add_file(Checkpoint&& one) {
  for (CatalogFile& file : one.catalog.files) catalog_.files.push_back(std::move(file));
  catalog_.metadata.merge(one.catalog.metadata);
  for (std::string& note : one.catalog.deviations) catalog_.deviations.push_back(std::move(note));
  for (const auto& file : one.bytes->files()) sources_.push_back(file);
}

Checkpoint JoinedCheckpoint::take() {
  index_records(catalog_);
  return {std::move(catalog_), std::make_shared<const ByteSource>(std::move(sources_))};
}

Json read_index(const RandomAccessFile& file) {
  require(file.size() <= kLongestIndex, "the index has {}, more than {}", human_bytes(file.size()),
          human_bytes(kLongestIndex));
  std::string text(file.size(), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  return parse_json(text, {kLongestIndex, 16});
}

bool begins_like_object(std::string_view head) {
  const size_t first = head.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && head[first] == '{';
}

void check_shard_name(std::string_view shard, std::string_view tensor) {
  const bool is_plain = shard.find_first_of(std::string_view("/\\\0", 3)) == shard.npos;
  if (!is_plain || !shard.ends_with(".safetensors") || shard.starts_with(".."))
    fail(ErrorCode::kCorruptData,
         "the index puts '{}' into '{}', which is no .safetensors file name", printable(tensor),
         printable(shard));
}

Checkpoint open_shard(const std::filesystem::path& path, const OpenOptions& options) {
  const ErrorContext context([&] { return "opening " + printable(path.string()); });
  std::shared_ptr<const RandomAccessFile> file = options.file_system().open(path);
  Probe probe{path, file->size(), {}};
  probe.head.resize(std::min(probe.size, Probe::kHeadBytes));
  file->read(0, std::as_writable_bytes(std::span(probe.head)));
  Checkpoint checkpoint = format_safetensors().open(std::move(file), probe, options);
  if (checkpoint.catalog.by_name.size() != checkpoint.catalog.records.size())
    index_records(checkpoint.catalog);
  return checkpoint;
}

WeightMap read_weight_map(const Json& members) {
  WeightMap map;
  for (const auto& [name, value] : members.members()) {
    const std::string& shard = value.as_string();
    check_shard_name(shard, name);
    map.emplace(name, shard);
  }
  return map;
}

Checkpoint open_weight_map(const WeightMap& map, const std::filesystem::path& folder,
                           const std::vector<std::string>& more, const OpenOptions& options) {
  std::vector<std::string> shards;  // in the order of the tensors' names
  std::set<std::string_view> seen;
  for (const auto& [name, shard] : map)
    if (seen.insert(shard).second) shards.push_back(shard);
  JoinedCheckpoint joined;
  std::set<std::string_view> found;
  for (const std::string& shard : shards) {
    Checkpoint one = open_shard(folder / shard, options);
    for (const Record& record : one.catalog.records) {
      const auto entry = map.find(record.name);
      if (entry == map.end())
        fail(ErrorCode::kCorruptData, "'{}' is in {} but not in the index", printable(record.name),
             printable(shard));
      if (entry->second != shard)
        fail(ErrorCode::kCorruptData, "the index lists '{}' in {} but {} holds it",
             printable(record.name), printable(entry->second), printable(shard));
      found.insert(entry->first);
    }
    joined.add(std::move(one));
  }
  for (const auto& [name, shard] : map)
    if (!found.contains(name))
      fail(ErrorCode::kCorruptData, "the index lists '{}' in {}, which lacks it", printable(name),
           printable(shard));
  for (const std::string& file : more) joined.add(open_shard(folder / file, options));
  return joined.take();
}

}  // namespace tessera::internal
