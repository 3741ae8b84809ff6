#include "tessera/reshard/assign_readers.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/reshard/internal/extents.h"
#include "tessera/reshard/internal/slabs.h"

namespace tessera {
namespace {

/// What a rank takes of a part.
struct Share {
  Rank rank = 0;
  uint64_t elements = 0;
};

/// The bytes of one rank in one round.
struct RoundUse {
  uint64_t read = 0, sent = 0, received = 0;
};

/// Puts reads into the first round where they fit.
class RoundPacker {
 public:
  RoundPacker(size_t ranks, uint64_t bytes) : bytes_(bytes), first_(ranks, 0) {}

  uint32_t place(Rank reader, uint64_t read, std::span<const Share> shares, uint64_t width) {
    uint64_t sent = 0;
    uint32_t round = first_[static_cast<size_t>(reader)];
    for (const Share& share : shares) {
      if (share.rank == reader) continue;
      sent += share.elements * width;
      round = std::max(round, first_[static_cast<size_t>(share.rank)]);
    }
    const auto fits = [&](uint64_t used, uint64_t more) {
      return used == 0 || more == 0 || used + more <= bytes_;
    };
    for (;; ++round) {
      if (round == rounds_.size()) rounds_.emplace_back(first_.size());
      const RoundUse& own = use(round, reader);
      if (!fits(own.read, read) || !fits(own.sent, sent)) continue;
      if (std::all_of(shares.begin(), shares.end(), [&](const Share& share) {
            return share.rank == reader ||
                   fits(use(round, share.rank).received, share.elements * width);
          }))
        break;
    }
    use(round, reader).read += read;
    use(round, reader).sent += sent;
    close_full(reader, round);
    for (const Share& share : shares) {
      if (share.rank == reader) continue;
      use(round, share.rank).received += share.elements * width;
      close_full(share.rank, round);
    }
    return round;
  }

 private:
  RoundUse& use(uint32_t round, Rank rank) { return rounds_[round][static_cast<size_t>(rank)]; }
  /// So that the search does not begin at the first round each time.
  void close_full(Rank rank, uint32_t round) {
    uint32_t& first = first_[static_cast<size_t>(rank)];
    const RoundUse& used = use(round, rank);
    if (round == first && std::max({used.read, used.sent, used.received}) >= bytes_ / 8 * 7)
      ++first;
  }

  uint64_t bytes_;
  std::vector<uint32_t> first_;  // by rank: the first round that may have room
  std::vector<std::vector<RoundUse>> rounds_;
};

class Assigner {
 public:
  Assigner(const ReshardPlan& plan, const Source& source, const Destination& destination,
           const JobView& view, const AssignOptions& options)
      : plan_(plan),
        source_(source),
        destination_(destination),
        view_(view),
        ranks_(destination.ranks.size()),
        packer_(ranks_, options.round_bytes),
        load_(ranks_, 0),
        takes_(ranks_, false) {
    reads_.options = options;
    require(view.machines.size() == ranks_ && plan.ranks.size() == ranks_,
            "the job has {} ranks, the destination {}, and {} are planned", view.machines.size(),
            ranks_, plan.ranks.size());
    require(view.seers.size() == source.catalog().files.size(),
            "it is known of {} files who sees them, but there are {}", view.seers.size(),
            source.catalog().files.size());
    require(ranks_ > 0, "the job has no ranks");
    // A part goes to many ranks, and all of it must fit into a round; and ranks read equally much
    // only where there are several parts for each.
    part_bytes_ = std::clamp<uint64_t>(std::min(options.round_bytes / std::max<size_t>(ranks_, 8),
                                                plan.bytes_needed / (16 * ranks_)),
                                       uint64_t{64} << 10, uint64_t{4} << 20);
    fair_load_ = (plan.bytes_needed + plan.bytes_compared) / ranks_;
    const int most = *std::max_element(view.machines.begin(), view.machines.end());
    takes_on_.assign(static_cast<size_t>(most) + 1, false);
    reads_.takers.emplace_back();
    reads_.ranks.resize(ranks_);
  }

  ReadPlan assign() {
    find_holders();
    reads_.parts.resize(plan_.routes.size());
    shares_.resize(plan_.routes.size());
    for (size_t r = 0; r < plan_.routes.size(); ++r) make_parts(r);
    for (uint32_t i = 0; i < plan_.route_of.size(); ++i) {
      if (plan_.route_of[i] == ReshardPlan::kNoRoute) continue;
      const std::vector<ReadPart>& parts = reads_.parts[plan_.route_of[i]];
      for (uint32_t p = 0; p < parts.size(); ++p) assign_part(i, p);
    }
    for (size_t r = 0; r < ranks_; ++r) reads_.ranks[r].held = plan_.ranks[r].bytes;
    sort_by_round();
    return std::move(reads_);
  }

 private:
  /// By route and slices the ranks that hold them; a rank that holds a record twice is in it twice.
  void find_holders() {
    holders_.resize(plan_.routes.size());
    for (size_t rank = 0; rank < ranks_; ++rank)
      for (const Holding& holding : destination_.ranks[rank]) {
        const uint32_t route = plan_.route_of[holding.record];
        if (route == ReshardPlan::kNoRoute || plan_.routes[route].example != holding.record)
          continue;
        holders_[route][holding.slices].push_back(static_cast<Rank>(rank));
      }
  }

  void make_parts(size_t number) {
    const Route& route = plan_.routes[number];
    const Record& record = source_.catalog().records[route.example];
    const auto width = static_cast<int64_t>(byte_size(record.dtype));
    std::vector<std::vector<const Feed*>> feeds(route.regions.size());
    for (const Feed& feed : route.feeds)
      for (const uint32_t region : feed.regions) feeds[region].push_back(&feed);
    std::vector<internal::SlabGrid> grids;
    uint64_t most = 0;
    for (const Region& region : route.regions) {
      grids.emplace_back(region.box.size, width, part_bytes_);
      most = std::max(most, grids.back().count());
    }
    // Turn by turn, so that regions of different files are read at the same time.
    for (uint64_t slab = 0; slab < most; ++slab)
      for (uint32_t g = 0; g < route.regions.size(); ++g) {
        if (slab >= grids[g].count()) continue;
        Box box = grids[g].box(slab);
        for (size_t d = 0; d < box.begin.size(); ++d) box.begin[d] += route.regions[g].box.begin[d];
        if (!is_empty(box)) add_part(number, g, std::move(box), feeds[g]);
      }
  }

  void add_part(size_t route, uint32_t region, Box box, std::span<const Feed* const> feeds) {
    std::map<Rank, uint64_t> elements;
    for (const Feed* feed : feeds) {
      const Box common = intersect(destination_.slices[feed->slices][feed->slice], box);
      if (is_empty(common)) continue;
      for (const Rank rank : holders_[route][feed->slices])
        elements[rank] += static_cast<uint64_t>(element_count(common.size));
    }
    if (elements.empty()) return;  // of a region that others want other parts of
    std::vector<Rank> takers;
    std::vector<Share>& shares = shares_[route].emplace_back();
    for (const auto& [rank, count] : elements) {
      takers.push_back(rank);
      shares.push_back({rank, count});
    }
    reads_.parts[route].push_back({region, std::move(box), number_of(std::move(takers))});
  }

  uint32_t number_of(std::vector<Rank> takers) {
    if (takers.empty()) return 0;
    const auto [known, is_new] =
        numbers_.try_emplace(takers, static_cast<uint32_t>(reads_.takers.size()));
    if (is_new) reads_.takers.push_back(std::move(takers));
    return known->second;
  }

  struct Choice {
    uint32_t piece = 0;
    Rank reader = 0;
  };

  /// Who reads which of the pieces, of the ranks of `machine` or (-1) of all; nobody where none of
  /// them sees any. takes_ says whom it is for.
  std::optional<Choice> choose(const Record& record, std::span<const uint32_t> pieces,
                               int machine) const {
    std::optional<Choice> best;
    std::pair<uint64_t, uint64_t> lowest;
    for (const uint32_t piece : pieces)
      for (const Rank rank : view_.seers[static_cast<size_t>(record.pieces[piece].file)]) {
        const auto r = static_cast<size_t>(rank);
        if (machine >= 0 && view_.machines[r] != machine) continue;
        // Up to its share a rank reads what is near; beyond it, sending costs as much as being a
        // few parts ahead of the others.
        const uint64_t distance = takes_[r]                                           ? 0
                                  : takes_on_[static_cast<size_t>(view_.machines[r])] ? 1
                                                                                      : 2;
        const std::pair cost(std::max(load_[r], fair_load_) + distance * 2 * part_bytes_, load_[r]);
        if (best && cost >= lowest) continue;
        best = {piece, rank};
        lowest = cost;
      }
    return best;
  }

  void mark(std::span<const Rank> takers, bool takes) {
    for (const Rank rank : takers) {
      takes_[static_cast<size_t>(rank)] = takes;
      takes_on_[static_cast<size_t>(view_.machines[static_cast<size_t>(rank)])] = takes;
    }
  }

  Choice require_choice(const Record& record, std::span<const uint32_t> pieces) const {
    const std::optional<Choice> choice = choose(record, pieces, -1);
    if (choice) return *choice;
    const auto file = static_cast<size_t>(record.pieces[pieces[0]].file);
    fail(ErrorCode::kNotFound, "'{}' is in the file of rank {} ({}), which no rank of the job sees",
         printable(record.name), source_.rank_of_file[file],
         printable(source_.catalog().files[file].path.string()));
  }

  void assign_part(uint32_t number, uint32_t part) {
    const Record& record = source_.catalog().records[number];
    const uint32_t route = plan_.route_of[number];
    const Region& region = plan_.routes[route].regions[reads_.parts[route][part].region];
    // A replica that is not compared costs a read where its own region's piece is compared.
    std::vector<uint32_t> pieces{region.piece}, compared;
    const bool compares = plan_.options.replicas != ReplicaCheck::kNone;
    for (const uint32_t replica : region.replicas)
      if (!compares || is_compared(plan_, source_, number, replica)) pieces.push_back(replica);
    if (compares) compared = pieces;
    const std::vector<Rank>& takers = reads_.takers[reads_.parts[route][part].takers];
    const uint32_t first = static_cast<uint32_t>(reads_.reads.size());
    if (reads_.options.sharing == ReadSharing::kInTotal) {
      mark(takers, true);
      const Choice choice = require_choice(record, pieces);
      mark(takers, false);
      add({number, part, choice.piece, choice.reader, reads_.parts[route][part].takers});
    } else {
      assign_per_machine(number, part, pieces);
    }
    for (const uint32_t piece : compared)
      if (piece != reads_.reads[first].piece)
        add({number, part, piece, require_choice(record, {&piece, 1}).reader, 0, first});
  }

  /// Machines where nobody sees the file get it from one that does.
  void assign_per_machine(uint32_t number, uint32_t part, std::span<const uint32_t> pieces) {
    const Record& record = source_.catalog().records[number];
    const std::vector<Rank> takers =
        reads_.takers[reads_.parts[plan_.route_of[number]][part].takers];
    std::map<int, std::vector<Rank>> by_machine;
    for (const Rank rank : takers)
      by_machine[view_.machines[static_cast<size_t>(rank)]].push_back(rank);
    std::vector<std::pair<Choice, std::vector<Rank>>> chosen;
    std::vector<Rank> others;
    for (const auto& [machine, ranks] : by_machine) {
      mark(ranks, true);
      const std::optional<Choice> choice = choose(record, pieces, machine);
      mark(ranks, false);
      if (choice) {
        chosen.emplace_back(*choice, ranks);
      } else {
        others.insert(others.end(), ranks.begin(), ranks.end());
      }
    }
    if (chosen.empty()) chosen.emplace_back(require_choice(record, pieces), std::vector<Rank>());
    std::vector<Rank>& first = chosen[0].second;
    first.insert(first.end(), others.begin(), others.end());
    std::sort(first.begin(), first.end());
    for (auto& [choice, ranks] : chosen)
      add({number, part, choice.piece, choice.reader, number_of(std::move(ranks))});
  }

  void add(const RankRead& read) {
    const Record& record = source_.catalog().records[read.record];
    const uint32_t route = plan_.route_of[read.record];
    const auto count =
        static_cast<uint64_t>(element_count(reads_.parts[route][read.part].box.size));
    const auto width = static_cast<uint64_t>(byte_size(record.dtype));
    const uint64_t stored = count * internal::stored_width(record, record.pieces[read.piece]);
    std::vector<Share> shares;
    const std::vector<Rank>& takers = reads_.takers[read.takers];
    for (const Share& share : shares_[route][read.part])
      if (std::binary_search(takers.begin(), takers.end(), share.rank)) shares.push_back(share);
    RankTraffic& reader = reads_.ranks[static_cast<size_t>(read.reader)];
    reader.read += stored;
    if (read.compared_with != RankRead::kNothing) reads_.bytes_compared += stored;
    for (const Share& share : shares) {
      if (share.rank == read.reader) continue;
      reader.sent += share.elements * width;
      reads_.ranks[static_cast<size_t>(share.rank)].received += share.elements * width;
    }
    load_[static_cast<size_t>(read.reader)] += stored;
    round_of_.push_back(packer_.place(read.reader, std::max(stored, count * width), shares, width));
    reads_.reads.push_back(read);
  }

  void sort_by_round() {
    std::vector<uint32_t> order(reads_.reads.size()), place(order.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return round_of_[a] < round_of_[b]; });
    for (uint32_t i = 0; i < order.size(); ++i) place[order[i]] = i;
    std::vector<RankRead> sorted;
    reads_.rounds = {};
    for (uint32_t i = 0; i < order.size(); ++i) {
      while (reads_.rounds.size() <= round_of_[order[i]]) reads_.rounds.push_back(i);
      RankRead& read = sorted.emplace_back(reads_.reads[order[i]]);
      if (read.compared_with != RankRead::kNothing) read.compared_with = place[read.compared_with];
    }
    if (!sorted.empty()) reads_.rounds.push_back(static_cast<uint32_t>(sorted.size()));
    reads_.reads = std::move(sorted);
  }

  const ReshardPlan& plan_;
  const Source& source_;
  const Destination& destination_;
  const JobView& view_;
  size_t ranks_;
  uint64_t part_bytes_ = 0;
  uint64_t fair_load_ = 0;  // what a rank reads when all read equally much
  RoundPacker packer_;
  std::vector<uint64_t> load_;  // by rank: bytes that it reads
  std::vector<bool> takes_;     // by rank, of the part that is being assigned
  std::vector<bool> takes_on_;  // the same by machine
  std::vector<std::map<uint32_t, std::vector<Rank>>> holders_;  // by route and slices
  std::vector<std::vector<std::vector<Share>>> shares_;         // by route and part
  std::map<std::vector<Rank>, uint32_t> numbers_;
  std::vector<uint32_t> round_of_;  // by read
  ReadPlan reads_;
};

}  // namespace

bool JobView::sees(Rank rank, int file) const {
  const std::vector<Rank>& ranks = seers[static_cast<size_t>(file)];
  return std::binary_search(ranks.begin(), ranks.end(), rank);
}

ReadPlan assign_readers(const ReshardPlan& plan, const Source& source,
                        const Destination& destination, const JobView& view,
                        const AssignOptions& options) {
  return Assigner(plan, source, destination, view, options).assign();
}

RankTraffic total(std::span<const RankTraffic> ranks) {
  RankTraffic sum;
  for (const RankTraffic& rank : ranks) {
    sum.read += rank.read;
    sum.sent += rank.sent;
    sum.received += rank.received;
    sum.held += rank.held;
  }
  return sum;
}

std::string traffic_lines(std::span<const RankTraffic> ranks) {
  std::string text;
  for (size_t r = 0; r < ranks.size(); ++r)
    text += fmt::format("rank {}: reads {}, sends {}, receives {}, holds {}\n", r,
                        human_bytes(ranks[r].read), human_bytes(ranks[r].sent),
                        human_bytes(ranks[r].received), human_bytes(ranks[r].held));
  return text;
}

std::string to_string(const ReadPlan& reads) {
  const RankTraffic all = total(reads.ranks);
  return fmt::format(
             "{} ranks read {} in {} parts{}, send {} and hold {}; {} round{} of at most {} per "
             "rank\n",
             reads.ranks.size(), human_bytes(all.read), reads.reads.size(),
             reads.bytes_compared > 0
                 ? fmt::format(" ({} of it replicas to compare)", human_bytes(reads.bytes_compared))
                 : std::string(),
             human_bytes(all.sent), human_bytes(all.held), reads.round_count(),
             reads.round_count() == 1 ? "" : "s", human_bytes(reads.options.round_bytes)) +
         traffic_lines(reads.ranks);
}

}  // namespace tessera
