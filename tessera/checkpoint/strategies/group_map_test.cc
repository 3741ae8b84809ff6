#include <gtest/gtest.h>

#include "tessera/base/error.h"
#include "tessera/checkpoint/strategy.h"
#include "tessera/io/memory_file_system.h"

namespace tessera {
namespace {

// Message bytes written by hand: a group "g" of ranks 0 and 300; ranks 1 and 2 may stand in.
const std::string kGroup("\x0A\x0A\x0A\x01g\x12\x05\x08\x00\x08\xAC\x02", 12);
const std::string kRestore("\x12\x04\x08\x01\x08\x02", 6);

GroupMap read(const std::string& content) {
  MemoryFileSystem files;
  files.put("g.pb", content);
  return read_group_map("g.pb", files);
}

TEST(GroupMap, HoldsGroupsAndTheRanksToRestoreFrom) {
  const GroupMap map = read(kGroup + kRestore);
  EXPECT_EQ(map, (GroupMap{{{"g", {0, 300}}}, {1, 2}}));
  MemoryFileSystem files;
  write_group_map(map, "out.pb", files);
  EXPECT_EQ(files.content("out.pb"), kGroup + kRestore);
}

TEST(GroupMap, FilesBeforeMindSpore16HaveNoRanksToRestoreFrom) {
  EXPECT_EQ(read(kGroup + kGroup).groups.size(), 2);
  EXPECT_TRUE(read(kGroup).restore_ranks.empty());
}

TEST(GroupMap, PackedRanksRead) {
  EXPECT_EQ(read(std::string("\x12\x04\x0A\x02\x01\x02", 6)).restore_ranks,
            (std::vector<Rank>{1, 2}));
}

TEST(GroupMap, EveryDamagedFileIsAnErrorOrAMap) {
  const std::string content = kGroup + kRestore;
  const auto check = [](const std::string& damaged) {
    try {
      const GroupMap map = read(damaged);
      MemoryFileSystem files;
      write_group_map(map, "again", files);
      EXPECT_EQ(read_group_map("again", files), map);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCorruptData) << error.what();
    }
  };
  for (size_t size = 0; size < content.size(); ++size) check(content.substr(0, size));
  for (size_t bit = 0; bit < content.size() * 8; ++bit) {
    std::string damaged = content;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    check(damaged);
  }
}

}  // namespace
}  // namespace tessera
