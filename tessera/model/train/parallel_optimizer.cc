#include "tessera/model/train/parallel_optimizer.h"

#include <algorithm>

#include "tessera/base/error.h"

namespace tessera {

std::optional<FurtherCut> cut_further(const ParallelOptimizer& how, const ValueInfo& value,
                                      const Layout& layout) {
  require(how.parallel_optimizer_threshold >= 0,
          "parallel_optimizer_threshold is {}; wanted 0 or more KiB",
          how.parallel_optimizer_threshold);
  const int wanted = how.optimizer_weight_shard_size;
  require(wanted == -1 || wanted >= 1,
          "optimizer_weight_shard_size is {}; wanted -1, or 1 and more ranks", wanted);
  constexpr int64_t kKiB = 1024;
  const int64_t bytes = element_count(value.shape) * byte_size(value.dtype);
  if (value.shape.empty() || bytes < how.parallel_optimizer_threshold * kKiB) return std::nullopt;
  std::vector<Rank> group = replica_group(layout, layout.mesh->rank_at(0));
  std::sort(group.begin(), group.end());
  const auto ranks = static_cast<int>(group.size());
  if (ranks == 1 || wanted == 1) return std::nullopt;
  FurtherCut cut;
  cut.size = wanted == -1 ? -1 : std::min(wanted, ranks);
  if (cut.size > 0 && ranks % cut.size != 0) cut.size = -1;
  const int parts = cut.size == -1 ? ranks : cut.size;
  if (value.shape[0] % (int64_t{part_count(layout, 0)} * parts) != 0) return std::nullopt;
  cut.step = (group.back() - group.front()) / (ranks - 1);
  try {
    cut.layout = shard_optimizer(layout, 0, cut.size);
  } catch (const Error&) {
    return std::nullopt;  // its axes cannot be cut so
  }
  return cut;
}

decltype(PlaceOptions::cut_further) further_cuts(const ParallelOptimizer& how) {
  return [how](const ValueInfo& value, const Layout& layout) {
    return cut_further(how, value, layout);
  };
}

}  // namespace tessera
