// The proof of who reads what: counts elements and asks boxes; nothing of how the readers were
// chosen is used.
#include <map>
#include <set>

#include "tessera/base/text.h"
#include "tessera/reshard/assign_readers.h"
#include "tessera/reshard/internal/proof.h"

namespace tessera {
namespace {

using internal::disprove;
using internal::require_proof;
using internal::shared;

class ReadProof {
 public:
  ReadProof(const ReadPlan& reads, const ReshardPlan& plan, const Source& source,
            const Destination& destination, const JobView& view)
      : reads_(reads), plan_(plan), source_(source), destination_(destination), view_(view) {}

  void check() {
    require_proof(reads_.parts.size() == plan_.routes.size(), [&] {
      disprove("{} routes are planned and {} are read", plan_.routes.size(), reads_.parts.size());
    });
    for (size_t r = 0; r < plan_.routes.size(); ++r) check_parts(r);
    find_holders();
    by_record_.resize(source_.catalog().records.size());
    for (const RankRead& read : reads_.reads) {
      check_read(read);
      by_record_[read.record].push_back(&read);
    }
    check_arrivals();
    check_rounds();
  }

 private:
  const Record& record_of(const RankRead& read) const {
    return source_.catalog().records.at(read.record);
  }
  const ReadPart& part_of(const RankRead& read) const {
    return reads_.parts.at(plan_.route_of.at(read.record)).at(read.part);
  }
  const std::vector<Rank>& takers_of(const RankRead& read) const {
    return reads_.takers.at(read.takers);
  }

  void check_parts(size_t number) const {
    const Route& route = plan_.routes[number];
    std::vector<std::vector<const Box*>> by_region(route.regions.size());
    for (const ReadPart& part : reads_.parts[number]) {
      require_proof(part.region < route.regions.size() &&
                        internal::is_inside(part.box, route.regions[part.region].box),
                    [&] { disprove("the part {} is in no region", to_string(part.box)); });
      by_region[part.region].push_back(&part.box);
    }
    for (std::vector<const Box*>& boxes : by_region)
      internal::require_disjoint(std::move(boxes), [](const Box& a, const Box& b) {
        disprove("the parts {} and {} overlap", to_string(a), to_string(b));
      });
  }

  void check_read(const RankRead& read) const {
    const Record& record = record_of(read);
    const ReadPart& part = part_of(read);
    require_proof(read.piece < record.pieces.size() &&
                      internal::is_inside(part.box, box_of(record, record.pieces[read.piece])),
                  [&] {
                    disprove("'{}' has {} in no such piece", printable(record.name),
                             to_string(part.box));
                  });
    require_proof(view_.sees(read.reader, record.pieces[read.piece].file), [&] {
      disprove("rank {} reads '{}' from a file that it does not see", read.reader,
               printable(record.name));
    });
    if (read.compared_with == RankRead::kNothing) {
      require_proof(!takers_of(read).empty(), [&] {
        disprove("'{}' {} is read for nobody", printable(record.name), to_string(part.box));
      });
      return;
    }
    const RankRead& other = reads_.reads.at(read.compared_with);
    require_proof(other.record == read.record && other.part == read.part &&
                      other.piece != read.piece && other.compared_with == RankRead::kNothing &&
                      takers_of(read).empty(),
                  [&] { disprove("'{}' is compared with another part", printable(record.name)); });
  }

  void find_holders() {
    held_.resize(source_.catalog().records.size());
    for (size_t rank = 0; rank < destination_.ranks.size(); ++rank)
      for (const Holding& holding : destination_.ranks[rank])
        held_[holding.record][static_cast<Rank>(rank)].push_back(holding.slices);
  }

  /// Parts are disjoint, so a box arrives once when as many elements of it arrive as it has, and no
  /// part comes to a rank twice.
  void check_arrivals() const {
    for (size_t i = 0; i < by_record_.size(); ++i) {
      if (plan_.route_of[i] == ReshardPlan::kNoRoute) {
        require_proof(by_record_[i].empty(), [&] { disprove("record {} is not planned", i); });
        continue;
      }
      std::map<Rank, std::vector<const Box*>> arrived;
      std::map<uint32_t, std::vector<const RankRead*>> by_part;
      for (const RankRead* read : by_record_[i]) {
        if (read->compared_with != RankRead::kNothing) continue;
        by_part[read->part].push_back(read);
        for (const Rank rank : takers_of(*read)) arrived[rank].push_back(&part_of(*read).box);
      }
      for (const auto& [part, reads] : by_part) check_once(reads);
      for (const auto& [rank, slices] : held_[i])
        for (const uint32_t number : slices)
          for (const Box& wanted : destination_.slices.at(number))
            check_box(i, rank, wanted, arrived);
    }
  }

  void check_box(size_t record, Rank rank, const Box& wanted,
                 const std::map<Rank, std::vector<const Box*>>& arrived) const {
    int64_t count = 0;
    if (const auto boxes = arrived.find(rank); boxes != arrived.end())
      for (const Box* box : boxes->second) count += shared(*box, wanted);
    require_proof(count == element_count(wanted.size), [&] {
      disprove("'{}': {} of {} elements of {} reach rank {}",
               printable(source_.catalog().records[record].name), count, element_count(wanted.size),
               to_string(wanted), rank);
    });
  }

  /// The reads of one part: one of them, or one per machine, and no rank gets two.
  void check_once(const std::vector<const RankRead*>& reads) const {
    std::set<int> machines;
    std::set<Rank> takers;
    for (const RankRead* read : reads) {
      machines.insert(view_.machines.at(static_cast<size_t>(read->reader)));
      for (const Rank rank : takers_of(*read))
        require_proof(takers.insert(rank).second, [&] {
          disprove("'{}' {} comes to rank {} twice", printable(record_of(*read).name),
                   to_string(part_of(*read).box), rank);
        });
    }
    const bool may_repeat = reads_.options.sharing == ReadSharing::kPerMachine;
    require_proof(reads.size() == (may_repeat ? machines.size() : 1), [&] {
      disprove("'{}' {} is read {} times", printable(record_of(*reads[0]).name),
               to_string(part_of(*reads[0]).box), reads.size());
    });
  }

  struct Use {
    uint64_t bytes = 0;
    int reads = 0;
    void add(uint64_t more) {
      bytes += more;
      reads += more > 0 ? 1 : 0;
    }
  };

  /// One read alone may be larger than a round.
  void check_rounds() const {
    require_proof(reads_.rounds.empty()
                      ? reads_.reads.empty()
                      : reads_.rounds[0] == 0 && reads_.rounds.back() == reads_.reads.size(),
                  [&] { disprove("the rounds do not hold the reads"); });
    for (size_t round = 0; round + 1 < reads_.rounds.size(); ++round) {
      std::vector<Use> read(view_.machines.size()), sent(read), received(read);
      for (uint32_t i = reads_.rounds[round]; i < reads_.rounds[round + 1]; ++i)
        add_read(reads_.reads.at(i), read, sent, received);
      for (const std::vector<Use>* uses : {&read, &sent, &received})
        for (size_t r = 0; r < uses->size(); ++r)
          require_proof(
              (*uses)[r].reads <= 1 || (*uses)[r].bytes <= reads_.options.round_bytes,
              [&] { disprove("rank {} moves {} bytes in round {}", r, (*uses)[r].bytes, round); });
    }
  }

  void add_read(const RankRead& read, std::vector<Use>& from, std::vector<Use>& sent,
                std::vector<Use>& received) const {
    const ReadPart& part = part_of(read);
    const auto width = static_cast<uint64_t>(byte_size(record_of(read).dtype));
    from[static_cast<size_t>(read.reader)].add(static_cast<uint64_t>(element_count(part.box.size)) *
                                               width);
    uint64_t out = 0;
    for (const Rank rank : takers_of(read)) {
      uint64_t in = 0;
      const auto held = held_[read.record].find(rank);
      require_proof(held != held_[read.record].end(), [&] {
        disprove("'{}' is sent to rank {}, which holds nothing of it",
                 printable(record_of(read).name), rank);
      });
      for (const uint32_t slices : held->second)
        for (const Box& box : destination_.slices.at(slices))
          in += static_cast<uint64_t>(shared(box, part.box)) * width;
      if (rank == read.reader) continue;
      received[static_cast<size_t>(rank)].add(in);
      out += in;
    }
    sent[static_cast<size_t>(read.reader)].add(out);
  }

  const ReadPlan& reads_;
  const ReshardPlan& plan_;
  const Source& source_;
  const Destination& destination_;
  const JobView& view_;
  std::vector<std::map<Rank, std::vector<uint32_t>>> held_;  // by record: slices
  std::vector<std::vector<const RankRead*>> by_record_;
};

}  // namespace

void verify(const ReadPlan& reads, const ReshardPlan& plan, const Source& source,
            const Destination& destination, const JobView& view) {
  ReadProof(reads, plan, source, destination, view).check();
}

}  // namespace tessera
