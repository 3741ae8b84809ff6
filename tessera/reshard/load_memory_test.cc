// What loading takes besides what the ranks hold: measured on this process, whose threads are all
// ranks of the job.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tessera/base/error.h"
#include "tessera/reshard/load_ranks.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMiB = 1 << 20;

/// A line of /proc/self/status, in bytes.
uint64_t status(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;)
    if (word == key + ":") {
      uint64_t kib = 0;
      file >> kib;
      return kib << 10;
    }
  return 0;
}

/// Resident bytes at their highest while `action` runs, more than before it.
template <typename Action>
uint64_t peak_of(const Action& action) {
  const uint64_t before = status("VmRSS");
  std::ofstream("/proc/self/clear_refs") << "5";
  action();
  const uint64_t peak = status("VmHWM");
  return peak > before ? peak - before : 0;
}

class LoadMemory : public ::testing::Test {
 protected:
  LoadMemory() {
    std::string name = (fs::temp_directory_path() / "tessera_load_XXXXXX").string();
    root_ = mkdtemp(name.data());
  }
  ~LoadMemory() override { fs::remove_all(root_); }

  /// A file with one tensor `w` of zeros, which take no place on the disk.
  RankFile put(Rank rank, int64_t rows, int64_t columns) const {
    const auto bytes = static_cast<uint64_t>(rows * columns * 4);
    std::string header = fmt::format(
        R"({{"w":{{"dtype":"F32","shape":[{},{}],"data_offsets":[0,{}]}}}})", rows, columns, bytes);
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const uint64_t size = header.size();
    const fs::path path = root_ / fmt::format("net_{}.safetensors", rank);
    std::ofstream(path) << std::string(reinterpret_cast<const char*>(&size), 8) << header;
    fs::resize_file(path, 8 + size + bytes);
    return {rank, path};
  }

  struct Load {
    std::vector<RankFile> files;
    const Strategy* train = nullptr;
    std::vector<WantedParameter> wanted;
    int ranks = 1;
  };
  static uint64_t peak_of_load(const Load& load, uint64_t round_bytes) {
    LoadRanksOptions options;
    options.assign.round_bytes = round_bytes;
    options.threads = 1;
    uint64_t held = 0;
    const uint64_t peak = peak_of([&] {
      run_world({.ranks = load.ranks, .timeout_seconds = 60}, [&](Communicator& world) {
        const LoadedRank mine = load_ranks(world, load.files, load.train, load.wanted, options);
        world.barrier();  // everybody still has everything
        if (world.rank() == 0) held = total(mine.ranks).held;
      });
    });
    EXPECT_GE(peak, held);
    return peak - held;
  }

  fs::path root_;
};

TEST_F(LoadMemory, BesidesItsSlicesARankTakesThreeTimesARound) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer takes memory of its own";
#endif
  constexpr int kRanks = 3;
  constexpr int64_t kRows = 6144, kColumns = 8192;  // 192 MiB
  const WantedParameter columns{{"w", DType::kF32, {kRows, kColumns}},
                                parse_layout("{tp=3} [-, tp]")};
  const Strategy train = parse_layouts("mesh {tp=4}\nw [tp, -]\n");
  Load four{{}, &train, {columns}, kRanks};
  for (Rank rank = 0; rank < 4; ++rank) four.files.push_back(put(rank, kRows / 4, kColumns));
  for (const uint64_t round : {8 * kMiB, 32 * kMiB})
    EXPECT_LE(peak_of_load(four, round), kRanks * 3 * round + 24 * kMiB) << round;
  // One file for ranks that all hold the whole of it.
  const WantedParameter all{{"w", DType::kF32, {kRows / 3, kColumns}},
                            parse_layout("{dp=3} [-, -]")};
  const Load merged{{put(9, kRows / 3, kColumns)}, nullptr, {all}, kRanks};
  EXPECT_LE(peak_of_load(merged, 8 * kMiB), kRanks * 3 * 8 * kMiB + 24 * kMiB);
}

}  // namespace
}  // namespace tessera
