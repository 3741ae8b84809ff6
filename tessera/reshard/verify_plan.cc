// The proof of a plan: counts elements and asks every pair of boxes; nothing of how the plan was
// made is used.
#include "tessera/base/parallel.h"
#include "tessera/base/text.h"
#include "tessera/reshard/internal/proof.h"
#include "tessera/reshard/plan.h"

namespace tessera {
namespace {

using internal::disprove;
using internal::is_inside;
using internal::require_proof;
using internal::shared;

void check_regions(const Route& route, const Record& record) {
  for (const Region& region : route.regions) {
    require_proof(region.piece < record.pieces.size(),
                  [&] { disprove("'{}' has no piece {}", printable(record.name), region.piece); });
    require_proof(is_inside(region.box, box_of(record, record.pieces[region.piece])), [&] {
      disprove("'{}': the region {} lies outside its piece", printable(record.name),
               to_string(region.box));
    });
    for (const uint32_t replica : region.replicas)
      require_proof(replica < record.pieces.size() &&
                        is_inside(region.box, box_of(record, record.pieces[replica])),
                    [&] {
                      disprove("'{}': the replica {} does not hold {}", printable(record.name),
                               replica, to_string(region.box));
                    });
  }
  std::vector<const Box*> boxes;
  for (const Region& region : route.regions) boxes.push_back(&region.box);
  internal::require_disjoint(std::move(boxes), [&](const Box& a, const Box& b) {
    disprove("'{}': {} and {} are both read", printable(record.name), to_string(a), to_string(b));
  });
}

/// Regions are disjoint, so a box is filled exactly once when they share as many elements with it
/// as it has.
void check_feeds(const Route& route, const Record& record, const Destination& destination) {
  for (const Feed& feed : route.feeds) {
    const Box& wanted = destination.slices.at(feed.slices).at(feed.slice);
    int64_t filled = 0;
    for (size_t i = 0; i < feed.regions.size(); ++i) {
      require_proof(i == 0 || feed.regions[i - 1] < feed.regions[i],
                    [&] { disprove("'{}': a region feeds a box twice", printable(record.name)); });
      filled += shared(route.regions.at(feed.regions[i]).box, wanted);
    }
    require_proof(filled == element_count(wanted.size), [&] {
      disprove("'{}': {} of {} elements of {} are filled", printable(record.name), filled,
               element_count(wanted.size), to_string(wanted));
    });
  }
}

/// Whether what holds for the route's example holds for `record`.
void check_example(const Record& record, const Record& example) {
  bool is_alike = record.dtype == example.dtype && record.shape == example.shape &&
                  record.pieces.size() == example.pieces.size();
  for (size_t p = 0; is_alike && p < record.pieces.size(); ++p) {
    const Piece &a = record.pieces[p], &b = example.pieces[p];
    is_alike =
        a.encoding == b.encoding && (a.part == b.part || box_of(record, a) == box_of(example, b));
  }
  require_proof(is_alike, [&] {
    disprove("'{}' is planned like '{}', which is cut otherwise", printable(record.name),
             printable(example.name));
  });
}

}  // namespace

void verify(const ReshardPlan& plan, const Source& source, const Destination& destination) {
  const auto& records = source.catalog().records;
  require_proof(plan.route_of.size() == records.size(), [&] {
    disprove("the plan has {} records, the source {}", plan.route_of.size(), records.size());
  });
  const int threads = default_thread_count();
  // By route and slices how many boxes are fed.
  std::vector<std::vector<uint32_t>> fed(plan.routes.size());
  parallel_for(plan.routes.size(), threads, [&](size_t r) {
    const Route& route = plan.routes[r];
    check_regions(route, records[route.example]);
    check_feeds(route, records[route.example], destination);
    fed[r].resize(destination.slices.size());
    for (const Feed& feed : route.feeds) ++fed[r][feed.slices];
  });
  parallel_for(records.size(), threads, [&](size_t i) {
    if (plan.route_of[i] != ReshardPlan::kNoRoute)
      check_example(records[i], records[plan.routes.at(plan.route_of[i]).example]);
  });
  parallel_for(plan.ranks.size(), threads, [&](size_t i) {
    const Rank rank = plan.ranks[i].rank;
    for (const Holding& holding : destination.ranks[static_cast<size_t>(rank)]) {
      const uint32_t route = plan.route_of[holding.record];
      if (route == ReshardPlan::kNoRoute) {
        require_proof(records[holding.record].kind != RecordKind::kTensor, [&] {
          disprove("'{}' of rank {} is not planned", printable(records[holding.record].name), rank);
        });
        continue;
      }
      require_proof(fed[route][holding.slices] == destination.slices[holding.slices].size(), [&] {
        disprove("'{}' of rank {} is not filled", printable(records[holding.record].name), rank);
      });
    }
  });
}

}  // namespace tessera
