#include <algorithm>

#include "tessera/base/text.h"
#include "tessera/reshard/plan.h"

namespace tessera {

std::string to_string(const ReshardPlan& plan, const Source& source) {
  std::string text = fmt::format(
      "ranks: {} of the source in {} files, {} of the destination\n"
      "{} kinds of tensors; {} read in {} reads{}, {} written; at most {} of memory for staging\n",
      source.rank_count, source.catalog().files.size(), plan.ranks.size(), plan.routes.size(),
      human_bytes(plan.bytes_needed + plan.bytes_compared), plan.reads,
      plan.bytes_compared > 0
          ? fmt::format(" ({} of it replicas to compare)", human_bytes(plan.bytes_compared))
          : std::string(),
      human_bytes(plan.bytes_written), human_bytes(plan.peak_memory));
  for (const RankPlan& rank : plan.ranks)
    text +=
        fmt::format("rank {}: {} tensors, {}, from {} transfers, alone in {} reads\n", rank.rank,
                    rank.tensors, human_bytes(rank.bytes), rank.transfers, rank.reads);
  return text;
}

std::string describe_transfers(const ReshardPlan& plan, const Source& source,
                               const Destination& destination) {
  std::string text;
  const auto& records = source.catalog().records;
  for (const RankPlan& rank : plan.ranks) {
    text += fmt::format("rank {}\n", rank.rank);
    for (const Holding& holding : destination.ranks[static_cast<size_t>(rank.rank)]) {
      const Record& record = records[holding.record];
      if (plan.route_of[holding.record] == ReshardPlan::kNoRoute) continue;
      const Route& route = plan.routes[plan.route_of[holding.record]];
      text += fmt::format("  {} {}\n", printable(record.name), describe(record));
      for (const Feed& feed : route.feeds) {
        if (feed.slices != holding.slices) continue;
        const Box& wanted = destination.slices[feed.slices][feed.slice];
        for (const uint32_t g : feed.regions) {
          const Region& region = route.regions[g];
          const auto file = static_cast<size_t>(record.pieces[region.piece].file);
          text += fmt::format("    {} from rank {}\n", to_string(intersect(region.box, wanted)),
                              source.rank_of_file[file]);
        }
      }
    }
  }
  return text;
}

}  // namespace tessera
