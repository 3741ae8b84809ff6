// Ranks that load together against one rank after the other, on the files that MindSpore saved.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tessera/base/error.h"
#include "tessera/model/distributed_checkpoint.h"
#include "tessera/reshard/load_ranks.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

fs::path data() {
  return testing::shared_data() / "mindspore" / "strategy";
}

std::vector<RankFile> files_of(const std::string& config) {
  const std::vector<std::string> folder{(data() / "src" / config).string()};
  return find_rank_files(folder);
}

/// What one job wants: the names that the strategy cuts, as `load_distributed_checkpoint` and
/// `load_ranks` are told.
struct Wanted {
  PredictStrategy predict;
  std::vector<WantedParameter> parameters;
  int ranks = 0;
};

Wanted wanted_of(const Catalog& whole, const std::string& config) {
  const Strategy strategy = read_strategy(data() / "strategy" / (config + ".ckpt"));
  Wanted wanted;
  wanted.ranks = strategy.rank_count();
  for (const ParameterLayout& one : strategy.parameters) {
    const Record* record = whole.find(one.name);
    if (record == nullptr) continue;
    const Layout layout = full_layout(one);
    const TensorMap map = to_tensor_map(layout);
    wanted.predict[one.name] = {.device_matrix = map.device_matrix, .tensor_map = map.dims};
    wanted.parameters.push_back({{one.name, record->dtype, record->shape}, layout});
  }
  return wanted;
}

/// Loads `from` as `to` says, each rank once by itself and once with the others; returns how many
/// tensors were equal.
int compare(const std::string& from, const std::string& to, const Catalog& whole) {
  const std::vector<RankFile> files = files_of(from);
  std::vector<fs::path> paths;
  for (const RankFile& file : files) paths.push_back(file.path);
  const fs::path train = from == "full" ? fs::path() : data() / "strategy" / (from + ".ckpt");
  const Wanted wanted = wanted_of(whole, to);
  std::optional<Strategy> strategy;
  if (!train.empty()) strategy = read_strategy(train);
  std::vector<LoadedRank> together(static_cast<size_t>(wanted.ranks));
  run_world({.ranks = wanted.ranks, .timeout_seconds = 60}, [&](Communicator& world) {
    together[static_cast<size_t>(world.rank())] =
        load_ranks(world, files, strategy ? &*strategy : nullptr, wanted.parameters);
  });
  int equal = 0;
  for (Rank rank = 0; rank < wanted.ranks; ++rank) {
    LoadDistributedOptions options{.rank = rank};
    options.threads = 1;
    options.allow = {"*"};
    const ParameterMap alone = load_distributed_checkpoint(paths, train, wanted.predict, options);
    const LoadedRank& mine = together[static_cast<size_t>(rank)];
    EXPECT_EQ(mine.tensors.size(), wanted.parameters.size());
    for (const auto& [name, tensor] : mine.tensors) {
      const Tensor* other = alone.find(name);
      if (other == nullptr || describe(*other) != describe(tensor) ||
          !std::ranges::equal(other->bytes(), tensor.bytes())) {
        ADD_FAILURE() << from << " to " << to << ": '" << name << "' on rank " << rank;
        continue;
      }
      ++equal;
    }
  }
  return equal;
}

TEST(LoadRanksReference, RanksTogetherHoldWhatEachLoadsAlone) {
  TESSERA_NEEDS_SHARED_DATA();
  const Catalog whole = open_catalog(files_of("full")[0].path);
  int equal = 0;
  for (const char* from : {"full", "tp4", "tp6", "tp8", "dp2tp4", "dp8opt", "dp4tp2opt2",
                           "multi222", "tp4dp2", "manual4", "field4"})
    for (const char* to : {"tp3", "tp4", "tp6", "multi42", "dp4tp2opt4", "grid222"})
      equal += compare(from, to, whole);
  EXPECT_GT(equal, 1000);
}

}  // namespace
}  // namespace tessera
