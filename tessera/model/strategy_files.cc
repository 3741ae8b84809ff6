#include "tessera/model/strategy_files.h"

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {

namespace fs = std::filesystem;

std::map<std::string, ParameterLayout> build_searched_strategy(const fs::path& strategy_filename) {
  std::map<std::string, ParameterLayout> layouts;
  for (ParameterLayout& one : read_strategy(strategy_filename).parameters) {
    const auto [known, is_new] = layouts.try_emplace(one.name, one);
    if (!is_new && one.stage < known->second.stage) known->second = std::move(one);
  }
  return layouts;
}

void merge_pipeline_strategys(const fs::path& src_strategy_dirs,
                              const fs::path& dst_strategy_file) {
  FileSystem& files = local_file_system();
  if (!files.is_folder(src_strategy_dirs))
    fail(ErrorCode::kNotFound, "{} is no folder", printable(src_strategy_dirs.string()));
  std::vector<fs::path> found;
  for (const std::string& name : files.list(src_strategy_dirs))
    if (name.ends_with(".ckpt") || name.ends_with(".json"))
      found.push_back(src_strategy_dirs / name);
  if (found.empty())
    fail(ErrorCode::kNotFound, "{} holds no .ckpt and no .json file",
         printable(src_strategy_dirs.string()));
  std::vector<Strategy> stages;
  for (const fs::path& path : found) {
    require(path.extension() == found[0].extension(), "{} holds {} and {}; one kind is wanted",
            printable(src_strategy_dirs.string()), printable(found[0].filename().string()),
            printable(path.filename().string()));
    const ErrorContext context([&] { return "reading " + printable(path.string()); });
    stages.push_back(read_strategy(path));
  }
  const Strategy merged = merge_stages(stages);
  validate(merged);
  write_strategy(merged, dst_strategy_file);
}

std::vector<Rank> restore_group_info_list(const fs::path& group_info_file_name) {
  std::vector<Rank> ranks = read_group_map(group_info_file_name).restore_ranks;
  require_valid(!ranks.empty(), "{} lists no rank whose checkpoint may be restored",
                printable(group_info_file_name.string()));
  return ranks;
}

namespace {

/// The coordinates of a rank along the axes that split a dim, the last axis first: MindSpore orders
/// slices so, whichever dim an axis splits.
std::vector<int> place_of(const Layout& layout, Rank rank) {
  std::vector<int> coordinates;
  for (auto axis = static_cast<AxisId>(layout.mesh->axes.size()); axis-- > 0;)
    for (const std::vector<AxisId>& dim : layout.dims)
      if (std::find(dim.begin(), dim.end(), axis) != dim.end())
        coordinates.push_back(layout.mesh->coordinate(rank, axis));
  return coordinates;
}

/// The groups of one layout, ordered by what they hold without optimizer sharding, then by rank.
std::vector<std::vector<Rank>> groups_of(const ParameterLayout& parameter) {
  std::vector<std::vector<Rank>> groups = replica_groups(full_layout(parameter));
  for (std::vector<Rank>& group : groups) std::sort(group.begin(), group.end());
  if (parameter.any_ndim) return groups;
  const auto place = [&](const std::vector<Rank>& group) {
    return std::pair(place_of(parameter.layout, group.front()), group.front());
  };
  std::sort(groups.begin(), groups.end(),
            [&](const auto& a, const auto& b) { return place(a) < place(b); });
  return groups;
}

}  // namespace

ParameterRedundancy get_parameter_redundancy(const Strategy& strategy) {
  ParameterRedundancy found;
  for (int stage = 0; stage < strategy.stage_count; ++stage) {
    for (const ParameterLayout& one : strategy.parameters) {
      if (one.stage != stage) continue;
      const ErrorContext context(
          [&] { return fmt::format("grouping the ranks of '{}'", printable(one.name)); });
      std::vector<std::vector<Rank>> groups = groups_of(one);
      const Rank first = stage * strategy.ranks_per_stage;
      if (one.layout.mesh->rank_count() == 1) {  // alike on every rank of the stage
        groups.assign(1, {});
        for (Rank place = 0; place < strategy.ranks_per_stage; ++place) groups[0].push_back(place);
      }
      for (std::vector<Rank>& group : groups) {
        for (Rank& rank : group) rank += first;
        found[one.name].push_back(std::move(group));
      }
    }
  }
  return found;
}

ParameterRedundancy get_parameter_redundancy(const fs::path& strategy_file) {
  const Strategy strategy = read_strategy(strategy_file);
  validate(strategy);
  return get_parameter_redundancy(strategy);
}

std::map<Rank, std::set<std::string>> remove_param_redundancy(const ParameterRedundancy& redundancy,
                                                              int keep_redundancy) {
  require(keep_redundancy >= 1, "{} ranks are to keep a slice; at least 1 is wanted",
          keep_redundancy);
  std::map<Rank, std::set<std::string>> kept;
  std::map<std::vector<std::vector<Rank>>, size_t> turns;
  for (const auto& [name, groups] : redundancy) {
    const size_t turn = turns[groups]++;
    for (const std::vector<Rank>& group : groups) {
      const size_t count = std::min(group.size(), static_cast<size_t>(keep_redundancy));
      for (size_t i = 0; i < count; ++i) kept[group[(turn + i) % group.size()]].insert(name);
    }
  }
  return kept;
}

}  // namespace tessera
