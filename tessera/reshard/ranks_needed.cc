#include "tessera/reshard/ranks_needed.h"

#include <numeric>
#include <set>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {
namespace {

/// The layouts of one tensor in all stages of both strategies.
std::vector<const ParameterLayout*> layouts_of(const std::string& name, const Strategy* source,
                                               const Strategy* destination) {
  std::vector<const ParameterLayout*> found;
  for (const Strategy* strategy : {source, destination})
    for (int stage = 0; strategy != nullptr && stage < strategy->stage_count; ++stage)
      if (const ParameterLayout* one = strategy->find(name, stage)) found.push_back(one);
  return found;
}

/// Extents that all parts divide, or those that a strategy says.
Shape shape_of(const std::vector<const ParameterLayout*>& layouts) {
  Shape shape;
  for (const ParameterLayout* one : layouts)
    if (one->shape) return *one->shape;
  for (const ParameterLayout* one : layouts)
    if (!one->any_ndim && one->layout.dims.size() > shape.size())
      shape.resize(one->layout.dims.size(), 1);
  for (const ParameterLayout* one : layouts) {
    if (one->any_ndim && one->optimizer_size == 0) continue;
    const Layout cut = full_layout(*one, shape.size());
    for (size_t d = 0; d < std::min(shape.size(), cut.dims.size()); ++d)
      shape[d] = std::lcm(shape[d], static_cast<int64_t>(part_count(cut, d)));
  }
  for (const ParameterLayout* one : layouts)
    if (!one->split_rows.empty() && !shape.empty())
      shape[0] = std::accumulate(one->split_rows.begin(), one->split_rows.end(), int64_t{0});
  return shape;
}

/// A tensor without bytes, with the boxes that the ranks hold of it.
Record record_of(const std::string& name, const Strategy& strategy, const Shape& shape) {
  Record record{.name = name, .dtype = DType::kU8, .shape = shape};
  for (int stage = 0; stage < strategy.stage_count; ++stage) {
    const ParameterLayout* layout = strategy.find(name, stage);
    if (layout == nullptr) continue;
    for (Rank place = 0; place < strategy.ranks_per_stage; ++place) {
      for (Box& box : slices_of(*layout, shape, place)) {
        Piece piece;
        piece.file = stage * strategy.ranks_per_stage + place;
        piece.encoding = Encoding::kZero;
        piece.part = std::make_shared<const Box>(std::move(box));
        record.pieces.push_back(std::move(piece));
      }
    }
  }
  return record;
}

Source source_without_bytes(const Strategy& strategy, const Strategy* destination) {
  Source source;
  source.rank_count = strategy.rank_count();
  for (Rank rank = 0; rank < source.rank_count; ++rank) {
    source.checkpoint.catalog.files.emplace_back();
    source.rank_of_file.push_back(rank);
  }
  std::set<std::string> names;
  for (const ParameterLayout& one : strategy.parameters) names.insert(one.name);
  if (destination != nullptr)
    for (const ParameterLayout& one : destination->parameters) names.insert(one.name);
  for (const std::string& name : names) {
    if (!strategy.names(name)) continue;
    const ErrorContext context([&] { return fmt::format("planning '{}'", printable(name)); });
    const Shape shape = shape_of(layouts_of(name, &strategy, destination));
    source.checkpoint.catalog.records.push_back(record_of(name, strategy, shape));
  }
  index_records(source.checkpoint.catalog);
  const size_t count = source.catalog().records.size();
  source.is_unnamed.assign(count, false);
  source.lost.assign(count, {});
  return source;
}

}  // namespace

std::vector<Rank> ranks_needed(const Strategy* source, const Strategy* destination, Rank rank) {
  require(rank >= 0 && rank < (destination != nullptr ? destination->rank_count() : 1),
          "rank {} is wanted but the destination has {} ranks", rank,
          destination != nullptr ? destination->rank_count() : 1);
  if (source == nullptr) return {0};
  const Source from = source_without_bytes(*source, destination);
  DestinationOptions any;
  any.allow = {"*"};
  const Destination to = destination != nullptr ? destination_of(from.catalog(), *destination, any)
                                                : whole_destination(from.catalog());
  PlanOptions options;
  options.replicas = ReplicaCheck::kNone;
  options.ranks = {rank};
  const std::vector<Rank> ranks = ranks_read(plan_reshard(from, to, options), from);
  return ranks.empty() ? std::vector<Rank>{0} : ranks;
}

std::vector<Rank> ranks_read(const ReshardPlan& plan, const Source& source) {
  std::set<Rank> ranks;
  const auto& records = source.catalog().records;
  for (size_t r = 0; r < records.size(); ++r) {
    if (plan.route_of[r] == ReshardPlan::kNoRoute) continue;
    for (const Region& region : plan.routes[plan.route_of[r]].regions)
      ranks.insert(source.rank_of_file[static_cast<size_t>(records[r].pieces[region.piece].file)]);
  }
  return {ranks.begin(), ranks.end()};
}

}  // namespace tessera
