#include "tessera/reshard/plan.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "tessera/base/error.h"
#include "tessera/base/parallel.h"
#include "tessera/base/text.h"
#include "tessera/reshard/internal/extents.h"
#include "tessera/tensor/cover.h"

namespace tessera {
namespace {

using internal::Extents;

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15U;
  return hash ^ hash >> 29;
}

/// What one feed takes from one region, relative to the piece's bytes.
struct Part {
  uint32_t piece = 0;
  Extents extents;
};

/// A rank that takes feeds [begin, end) of a route.
struct Taker {
  uint32_t rank = 0;  // index into the ranks that are made
  uint32_t slices = 0;
  uint32_t begin = 0, end = 0;
};

/// What is counted of a route, once for all its tensors.
struct Counts {
  std::vector<Taker> takers;  // by rank
  std::vector<Part> parts;
  std::vector<size_t> first_part;    // of feed i: parts[first_part[i]] … parts[first_part[i + 1]]
  std::vector<uint64_t> feed_bytes;  // of the destination
  std::vector<Extents> regions;
  std::vector<uint64_t> region_bytes;  // of the source
};

struct BySlices {
  bool operator()(const Feed& feed, uint32_t slices) const { return feed.slices < slices; }
  bool operator()(uint32_t slices, const Feed& feed) const { return slices < feed.slices; }
};

/// Follows reads through the files: a part that begins where the last one ended joins its read,
/// which is cut where it gets longer than staging memory.
class ReadCounter {
 public:
  struct Range {
    uint64_t begin = 0, end = 0;
  };
  /// `ranges`: by file, what is read there at the moment.
  ReadCounter(std::span<Range> ranges, uint64_t longest) : ranges_(ranges), longest_(longest) {}

  /// How many reads the part adds.
  uint64_t add(const Piece& piece, const Extents& extents) {
    if (extents.count == 0) return 0;
    Range& range = ranges_[static_cast<size_t>(piece.file)];
    const uint64_t begin = piece.bytes.offset + extents.begin;
    const uint64_t end = piece.bytes.offset + extents.end;
    const bool joins = range.end != 0 && begin >= range.end &&
                       begin - range.end < PlanOptions::kGap && extents.count == 1;
    uint64_t before = 0;
    if (joins) {
      before = (range.end - range.begin + longest_ - 1) / longest_;
    } else {
      range.begin = extents.count == 1 ? begin : end - std::min(extents.run, end - begin);
    }
    range.end = end;
    return extents.count - 1 + (range.end - range.begin + longest_ - 1) / longest_ - before;
  }

 private:
  std::span<Range> ranges_;
  uint64_t longest_;
};

class Planner {
 public:
  Planner(const Source& source, const Destination& destination, const PlanOptions& options)
      : source_(source), destination_(destination), records_(source.catalog().records) {
    plan_.options = options;
    threads_ = thread_count(options.threads);
    ranks_ = options.ranks;
    if (ranks_.empty())
      for (size_t r = 0; r < destination.ranks.size(); ++r) ranks_.push_back(static_cast<Rank>(r));
    for (const Rank rank : ranks_)
      require(rank >= 0 && static_cast<size_t>(rank) < destination.ranks.size(),
              "rank {} is wanted but the destination has {} ranks", rank, destination.ranks.size());
  }

  ReshardPlan plan() {
    group_records();
    parallel_for(plan_.routes.size(), threads_, [&](size_t r) {
      make_route(plan_.routes[r]);
      count_route(plan_.routes[r], counts_[r]);
    });
    require_nothing_lost();
    const auto workers = static_cast<uint64_t>(threads_);
    plan_.staging = std::clamp<uint64_t>(plan_.options.memory / (4 * workers), uint64_t{64} << 10,
                                         uint64_t{4} << 20);
    plan_.peak_memory = 4 * workers * plan_.staging;
    choose_compared_files();
    count_source();
    count_ranks();
    return std::move(plan_);
  }

 private:
  /// Numbers the kinds of tensors: equal shape and dtype, cut alike on both sides.
  void group_records() {
    std::vector<uint64_t> keys(records_.size(), 0);
    std::vector<bool> is_wanted(records_.size(), false);
    for (const Rank rank : ranks_)
      for (const Holding& holding : destination_.ranks[static_cast<size_t>(rank)]) {
        is_wanted[holding.record] = true;
        keys[holding.record] =
            mix(mix(keys[holding.record] + 1, static_cast<uint64_t>(rank)), holding.slices);
      }
    plan_.route_of.assign(records_.size(), ReshardPlan::kNoRoute);
    std::unordered_map<uint64_t, std::vector<uint32_t>> known;
    for (size_t r = 0; r < records_.size(); ++r) {
      const Record& record = records_[r];
      if (!is_wanted[r] || record.kind != RecordKind::kTensor) continue;
      require_known_shape(static_cast<uint32_t>(r));
      uint64_t key = mix(keys[r], static_cast<uint64_t>(record.dtype));
      for (const int64_t extent : record.shape) key = mix(key, static_cast<uint64_t>(extent));
      for (const Piece& piece : record.pieces)
        key = mix(mix(key, reinterpret_cast<uintptr_t>(piece.part.get())),
                  static_cast<uint64_t>(piece.encoding));
      for (const uint32_t route : known[key])
        if (is_alike(record, records_[plan_.routes[route].example])) plan_.route_of[r] = route;
      if (plan_.route_of[r] != ReshardPlan::kNoRoute) continue;
      plan_.route_of[r] = static_cast<uint32_t>(plan_.routes.size());
      known[key].push_back(plan_.route_of[r]);
      plan_.routes.push_back({static_cast<uint32_t>(r), {}, {}});
    }
    find_feeds();
  }

  void require_known_shape(uint32_t record) const {
    if (record >= source_.is_guessed.size() || !source_.is_guessed[record]) return;
    fail(ErrorCode::kNotFound,
         "'{}': its extents cannot be known, because parts of it are lost: {} if it is {} (their "
         "files are missing or lack it, and no replica is there); 'shape=' in layouts.txt says it",
         printable(records_[record].name),
         source_.lost[record].empty() ? "parts without elements" : source_.lost[record],
         to_string(records_[record].shape));
  }

  static bool is_alike(const Record& a, const Record& b) {
    return a.dtype == b.dtype && a.shape == b.shape && a.pieces.size() == b.pieces.size() &&
           std::equal(a.pieces.begin(), a.pieces.end(), b.pieces.begin(),
                      [](const Piece& x, const Piece& y) {
                        return x.part == y.part && x.encoding == y.encoding;
                      });
  }

  /// The different boxes that the ranks want of each route's example, and who wants them.
  void find_feeds() {
    counts_.resize(plan_.routes.size());
    holes_.resize(plan_.routes.size());
    for (uint32_t i = 0; i < ranks_.size(); ++i) {
      for (const Holding& holding : destination_.ranks[static_cast<size_t>(ranks_[i])]) {
        const uint32_t number = plan_.route_of[holding.record];
        if (number == ReshardPlan::kNoRoute || plan_.routes[number].example != holding.record)
          continue;
        const std::vector<Box>& slices = destination_.slices[holding.slices];
        for (uint32_t s = 0; s < slices.size(); ++s)
          plan_.routes[number].feeds.push_back({holding.slices, s, {}});
        counts_[number].takers.push_back({i, holding.slices});
      }
    }
    const auto order = [](const Feed& feed) { return std::pair(feed.slices, feed.slice); };
    for (size_t r = 0; r < plan_.routes.size(); ++r) {
      std::vector<Feed>& feeds = plan_.routes[r].feeds;
      std::sort(feeds.begin(), feeds.end(),
                [&](const Feed& a, const Feed& b) { return order(a) < order(b); });
      const auto is_equal = [&](const Feed& a, const Feed& b) { return order(a) == order(b); };
      feeds.erase(std::unique(feeds.begin(), feeds.end(), is_equal), feeds.end());
      for (Taker& taker : counts_[r].takers) {
        const auto [first, last] =
            std::equal_range(feeds.begin(), feeds.end(), taker.slices, BySlices());
        taker.begin = static_cast<uint32_t>(first - feeds.begin());
        taker.end = static_cast<uint32_t>(last - feeds.begin());
      }
    }
  }

  const Box& box_of_feed(const Feed& feed) const {
    return destination_.slices[feed.slices][feed.slice];
  }

  void make_route(Route& route) {
    const Record& record = records_[route.example];
    const ErrorContext context(
        [&] { return fmt::format("planning '{}' {}", printable(record.name), describe(record)); });
    std::vector<Box> pieces;
    for (const Piece& piece : record.pieces) pieces.push_back(box_of(record, piece));
    for (const Box& box : needed_boxes(route, record)) {
      std::vector<Copy> copies;
      const std::vector<Box> holes = cover(pieces, box, copies);
      if (!holes.empty())
        holes_[static_cast<size_t>(&route - plan_.routes.data())] = to_string(holes[0]);
      for (Copy& copy : copies)
        route.regions.push_back({static_cast<uint32_t>(copy.piece), std::move(copy.box), {}});
    }
    find_replicas(pieces, route);
    for (Feed& feed : route.feeds) {
      const Box& wanted = box_of_feed(feed);
      if (is_empty(wanted)) continue;
      for (uint32_t g = 0; g < route.regions.size(); ++g)
        if (overlaps(route.regions[g].box, wanted)) feed.regions.push_back(g);
    }
  }

  /// Disjoint boxes that hold what the feeds want.
  std::vector<Box> needed_boxes(const Route& route, const Record& record) const {
    std::vector<Box> wanted;
    for (const Feed& feed : route.feeds)
      if (!is_empty(box_of_feed(feed))) wanted.push_back(box_of_feed(feed));
    const Box all = whole(record.shape);
    if (is_empty(all) || wanted.empty()) return {};
    if (covers(wanted, all)) return {all};
    std::vector<Box> disjoint;
    for (const Box& box : wanted)
      for (Box& rest : subtract(box, disjoint)) disjoint.push_back(std::move(rest));
    return disjoint;
  }

  /// Names everything that no file holds, once it is known for all routes.
  void require_nothing_lost() const {
    constexpr size_t kShown = 10;
    size_t count = 0;
    std::string text;
    for (size_t i = 0; i < records_.size(); ++i) {
      const uint32_t route = plan_.route_of[i];
      if (route == ReshardPlan::kNoRoute || holes_[route].empty()) continue;
      if (++count > kShown) continue;
      text += fmt::format("\n  '{}' {}: {}", printable(records_[i].name), describe(records_[i]),
                          source_.lost[i].empty() ? holes_[route] : source_.lost[i]);
    }
    if (count == 0) return;
    if (count > kShown) text += fmt::format("\n  and {} more", count - kShown);
    std::string notes;
    for (const std::string& note : source_.notes) notes += "\n" + note;
    if (source_.has_strategy && source_.catalog().files.size() == 1)
      notes += "\nif that file holds whole tensors, leave --from out";
    fail(
        ErrorCode::kNotFound,
        "parts of {} tensor{} are lost: no file that is given holds them or a replica of them:{}{}",
        count, count == 1 ? "" : "s", text, notes);
  }

  /// Every other piece that holds a region is a replica of it. Where pieces overlap without being
  /// equal (stages that cut a tensor differently), regions are cut so that each is held whole.
  static void find_replicas(std::span<const Box> pieces, Route& route) {
    std::map<std::string, std::vector<uint32_t>> by_box;
    for (uint32_t p = 0; p < pieces.size(); ++p) by_box[to_string(pieces[p])].push_back(p);
    int64_t held = 0, read = 0;
    for (const auto& [text, equal] : by_box) held += element_count(pieces[equal[0]].size);
    for (const Region& region : route.regions) read += element_count(region.box.size);
    if (held != read) return find_overlapping(pieces, by_box, route);
    if (by_box.size() == pieces.size()) return;
    for (Region& region : route.regions)
      for (const uint32_t other : by_box[to_string(pieces[region.piece])])
        if (other != region.piece) region.replicas.push_back(other);
  }

  static void find_overlapping(std::span<const Box> pieces,
                               const std::map<std::string, std::vector<uint32_t>>& by_box,
                               Route& route) {
    std::vector<Region> regions;
    for (const Region& region : route.regions) {
      std::vector<Box> parts{region.box};
      std::vector<const std::vector<uint32_t>*> overlapping;
      for (const auto& [text, equal] : by_box) {
        const Box& other = pieces[equal[0]];
        if (is_empty(intersect(other, region.box))) continue;
        overlapping.push_back(&equal);
        std::vector<Box> cut;
        for (Box& part : parts) {
          Box common = intersect(part, other);
          if (is_empty(common) || common == part) {
            cut.push_back(std::move(part));
            continue;
          }
          for (Box& rest : subtract(part, std::span(&common, 1))) cut.push_back(std::move(rest));
          cut.push_back(std::move(common));
        }
        parts = std::move(cut);
      }
      for (Box& part : parts) {
        Region& one = regions.emplace_back(Region{region.piece, std::move(part), {}});
        for (const auto* equal : overlapping)
          for (const uint32_t other : *equal)
            if (other != region.piece && contains(pieces[other], one.box))
              one.replicas.push_back(other);
      }
    }
    route.regions = std::move(regions);
  }

  void choose_compared_files() {
    plan_.compares_file.assign(source_.catalog().files.size(),
                               plan_.options.replicas == ReplicaCheck::kAll);
    if (plan_.options.replicas != ReplicaCheck::kReadFiles) return;
    for (size_t r = 0; r < records_.size(); ++r) {
      if (plan_.route_of[r] == ReshardPlan::kNoRoute) continue;
      for (const Region& region : plan_.routes[plan_.route_of[r]].regions)
        plan_.compares_file[static_cast<size_t>(records_[r].pieces[region.piece].file)] = true;
    }
  }

  static Extents extents_in(const Record& record, uint32_t piece, const Box& box) {
    const Piece& held = record.pieces[piece];
    return internal::extents_of(box_of(record, held), box, internal::stored_width(record, held),
                                PlanOptions::kGap);
  }

  void count_route(const Route& route, Counts& counts) const {
    const Record& record = records_[route.example];
    for (const Region& region : route.regions) {
      counts.regions.push_back(extents_in(record, region.piece, region.box));
      counts.region_bytes.push_back(static_cast<uint64_t>(element_count(region.box.size)) *
                                    internal::stored_width(record, record.pieces[region.piece]));
    }
    for (const Feed& feed : route.feeds) {
      counts.first_part.push_back(counts.parts.size());
      const Box& wanted = box_of_feed(feed);
      counts.feed_bytes.push_back(static_cast<uint64_t>(element_count(wanted.size)) *
                                  static_cast<uint64_t>(byte_size(record.dtype)));
      for (const uint32_t g : feed.regions) {
        const Region& region = route.regions[g];
        const Box common = intersect(region.box, wanted);
        counts.parts.push_back({region.piece, extents_in(record, region.piece, common)});
      }
    }
    counts.first_part.push_back(counts.parts.size());
  }

  void count_source() {
    std::vector<ReadCounter::Range> ranges(source_.catalog().files.size());
    ReadCounter reads(ranges, plan_.staging);
    for (uint32_t i = 0; i < records_.size(); ++i) {
      if (plan_.route_of[i] == ReshardPlan::kNoRoute) continue;
      const Route& route = plan_.routes[plan_.route_of[i]];
      const Counts& counts = counts_[plan_.route_of[i]];
      const std::vector<Piece>& pieces = records_[i].pieces;
      for (size_t g = 0; g < route.regions.size(); ++g) {
        plan_.bytes_needed += counts.region_bytes[g];
        plan_.reads += reads.add(pieces[route.regions[g].piece], counts.regions[g]);
        for (const uint32_t replica : route.regions[g].replicas) {
          if (!is_compared(plan_, source_, i, replica)) continue;
          plan_.bytes_compared += counts.region_bytes[g];
          plan_.reads += reads.add(pieces[replica], counts.regions[g]);
        }
      }
    }
  }

  /// Record by record, so that a record's pieces are in the cache for all ranks.
  void count_ranks() {
    plan_.ranks.resize(ranks_.size());
    for (size_t i = 0; i < ranks_.size(); ++i) plan_.ranks[i].rank = ranks_[i];
    const size_t groups = std::min(ranks_.size(), static_cast<size_t>(threads_));
    parallel_for(groups, threads_, [&](size_t group) {
      const auto first = static_cast<uint32_t>(ranks_.size() * group / groups);
      const auto last = static_cast<uint32_t>(ranks_.size() * (group + 1) / groups);
      const size_t files = source_.catalog().files.size();
      std::vector<ReadCounter::Range> ranges(files * (last - first));
      for (size_t i = 0; i < records_.size(); ++i) {
        if (plan_.route_of[i] == ReshardPlan::kNoRoute) continue;
        const Counts& counts = counts_[plan_.route_of[i]];
        auto taker =
            std::lower_bound(counts.takers.begin(), counts.takers.end(), first,
                             [](const Taker& one, uint32_t rank) { return one.rank < rank; });
        for (; taker != counts.takers.end() && taker->rank < last; ++taker) {
          ReadCounter reads({ranges.data() + files * (taker->rank - first), files}, plan_.staging);
          count_taker(records_[i], counts, *taker, reads);
        }
      }
    });
    for (const RankPlan& rank : plan_.ranks) plan_.bytes_written += rank.bytes;
  }

  void count_taker(const Record& record, const Counts& counts, const Taker& taker,
                   ReadCounter& reads) {
    RankPlan& rank = plan_.ranks[taker.rank];
    ++rank.tensors;
    for (uint32_t f = taker.begin; f < taker.end; ++f) rank.bytes += counts.feed_bytes[f];
    const size_t end = counts.first_part[taker.end];
    for (size_t p = counts.first_part[taker.begin]; p < end; ++p)
      rank.reads += reads.add(record.pieces[counts.parts[p].piece], counts.parts[p].extents);
    rank.transfers += end - counts.first_part[taker.begin];
  }

  const Source& source_;
  const Destination& destination_;
  const std::deque<Record>& records_;
  std::vector<Rank> ranks_;
  int threads_ = 1;
  std::vector<Counts> counts_;      // by route
  std::vector<std::string> holes_;  // by route: a region that no file holds, or ""
  ReshardPlan plan_;
};

}  // namespace

bool is_compared(const ReshardPlan& plan, const Source& source, uint32_t record, uint32_t piece) {
  if (plan.options.replicas == ReplicaCheck::kNone) return false;
  return source.is_unnamed[record] || plan.compares_file[static_cast<size_t>(
                                          source.catalog().records[record].pieces[piece].file)];
}

ReshardPlan plan_reshard(const Source& source, const Destination& destination,
                         const PlanOptions& options) {
  return Planner(source, destination, options).plan();
}

}  // namespace tessera
