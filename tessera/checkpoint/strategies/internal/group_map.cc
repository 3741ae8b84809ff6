// MindSpore's ParallelGroupMap: {1 groups {1 name, 2 {1 ranks}}, 2 {1 ranks that may stand in}}.
// Files of MindSpore before 1.6 have no field 2.
#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/strategies/internal/wire_text.h"
#include "tessera/checkpoint/strategy.h"

namespace tessera {
namespace {

using internal::bytes_of;
using internal::for_each_field;

constexpr uint64_t kMostNameBytes = 1 << 16;
constexpr uint64_t kMostBytes = uint64_t{64} << 20;
constexpr int64_t kMostRanks = 1 << 24;

std::vector<Rank> read_ranks(WireWindow& window, const WireField& field, std::string_view what) {
  std::vector<Rank> ranks;
  for (const int64_t rank : internal::numbers_in(window, bytes_of(field, what), what)) {
    require_valid(rank >= 0 && rank < kMostRanks, "{} at byte {} has a rank {}", what, field.offset,
                  rank);
    ranks.push_back(static_cast<Rank>(rank));
  }
  return ranks;
}

GroupMap::Group read_group(WireWindow& window, const WireField& item) {
  GroupMap::Group group;
  bool has_name = false, has_ranks = false;
  for_each_field(window, bytes_of(item, "a group"), [&](const WireField& field) {
    if (field.number == 1) {
      group.name = window.text(bytes_of(field, "a name"), kMostNameBytes, "a name");
      require_valid(is_utf8(group.name), "the group '{}' at byte {} has a name that is not UTF-8",
                    printable(group.name), field.offset);
      has_name = true;
    } else if (field.number == 2) {
      require_valid(!has_ranks, "the group at byte {} has two lists of ranks", item.offset);
      group.ranks = read_ranks(window, field, "a group");
      has_ranks = true;
    }
  });
  require_valid(has_name && has_ranks, "the group at byte {} lacks its {}", item.offset,
                has_name ? "ranks" : "name");
  return group;
}

}  // namespace

GroupMap read_group_map(const std::filesystem::path& path, const FileSystem& files) {
  const ErrorContext context([&] { return "reading the groups " + printable(path.string()); });
  const std::unique_ptr<RandomAccessFile> file = files.open(path);
  require_valid(file->size() > 0, "the file is empty");
  if (file->size() > kMostBytes)
    fail(ErrorCode::kUnsupported, "the file has {}; a list of groups has at most {}",
         human_bytes(file->size()), human_bytes(kMostBytes));
  WireWindow window(*file);
  GroupMap map;
  bool has_restore = false;
  for_each_field(window, {0, file->size()}, [&](const WireField& field) {
    if (field.number == 1) {
      map.groups.push_back(read_group(window, field));
    } else if (field.number == 2) {
      require_valid(!has_restore, "the file has a second list of ranks to restore from at byte {}",
                    field.offset);
      map.restore_ranks = read_ranks(window, field, "the list of ranks to restore from");
      has_restore = true;
    }
  });
  require_valid(!map.groups.empty() || has_restore, "the file has neither groups nor ranks");
  return map;
}

void write_group_map(const GroupMap& map, const std::filesystem::path& path, FileSystem& files) {
  const ErrorContext context([&] { return "writing the groups " + printable(path.string()); });
  std::string out;
  for (const GroupMap::Group& group : map.groups) {
    require(is_utf8(group.name), "the name '{}' of a group is not UTF-8", printable(group.name));
    std::string item;
    internal::put_bytes(1, group.name, item);
    internal::put_numbers(2, group.ranks, item);
    internal::put_bytes(1, item, out);
  }
  internal::put_numbers(2, map.restore_ranks, out);
  AtomicFile file(files, path);
  file.file().append(std::as_bytes(std::span(out)));
  file.commit();
}

}  // namespace tessera
