#include "tessera/reshard/internal/stream.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tessera/base/error.h"
#include "tessera/base/parallel.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/round_to_bf16.h"
#include "tessera/reshard/internal/extents.h"

namespace tessera::internal {
namespace {

/// Shorter segments are put together in memory: handing each to the system costs more.
constexpr size_t kShortSegment = 256;

/// The bytes of a run that for_each_run visits.
uint64_t run_bytes(const Box& a, const Box& b, const Box& common, uint64_t width) {
  uint64_t run = width;
  for (size_t d = common.size.size(); d-- > 0;) {
    run *= static_cast<uint64_t>(common.size[d]);
    if (common.size[d] != a.size[d] || common.size[d] != b.size[d]) break;
  }
  return run;
}

uint64_t slot_bytes(const Record& record, const Piece& piece, const Box& box) {
  const uint64_t width = std::max<uint64_t>(stored_width(record, piece),
                                            static_cast<uint64_t>(byte_size(record.dtype)));
  return static_cast<uint64_t>(element_count(box.size)) * width;
}

}  // namespace

std::string why_equal(const Source& source, uint32_t record) {
  if (!source.has_strategy)
    return "and nothing says how the files are cut; if each holds a slice, say so with --from "
           "STRATEGY";
  const std::string_view claim =
      source.is_unnamed[record] ? "no strategy names it, so that it has to be equal in every file"
                                : "the strategy calls it replicated over these ranks";
  return fmt::format(
      "but {}: the strategy is not that of these files, or they are of different runs or steps "
      "('--no-check-replicas' takes the first)",
      claim);
}

StreamCounts Stream::run() {
  const auto& records = source_.catalog().records;
  const auto extent_of = [&](uint32_t r) -> std::optional<SlabExtent> {
    if (plan_.route_of[r] == ReshardPlan::kNoRoute) return {};
    return SlabExtent{records[r].shape, byte_size(records[r].dtype)};
  };
  const std::vector<SlabItem> items =
      make_items(static_cast<uint32_t>(records.size()), plan_.staging, extent_of);
  const int threads = thread_count(plan_.options.threads);
  parallel_for(items.size(), threads, [&](size_t i) {
    std::unique_ptr<Workspace> work = idle_.take();
    work->counts = {};
    process(items[i], *work);
    const StreamCounts counts = work->counts;
    idle_.give_back(std::move(work));
    const std::scoped_lock lock(mutex_);
    total_.bytes_read += counts.bytes_read;
    total_.bytes_compared += counts.bytes_compared;
    total_.bytes_written += counts.bytes_written;
    if (progress_) progress_(total_);
  });
  return total_;
}

Box Stream::slab_of(const SlabItem& item, const Record& record) const {
  if (item.is_whole) return whole(record.shape);
  return SlabGrid(record.shape, byte_size(record.dtype), plan_.staging).box(item.slab);
}

void Stream::process(const SlabItem& item, Workspace& work) {
  work.wants.clear();
  for (uint32_t r = item.first; r < item.last; ++r)
    if (plan_.route_of[r] != ReshardPlan::kNoRoute)
      work.wants.push_back({r, slab_of(item, source_.catalog().records[r])});
  load(work);
  for (size_t begin = 0, end = 0; begin < work.slots.size(); begin = end) {
    const uint32_t record = work.slots[begin].record;
    while (end < work.slots.size() && work.slots[end].record == record) ++end;
    const auto slots = std::span<const Slot>(work.slots).subspan(begin, end - begin);
    if (digests_ != nullptr) add_digests(slots, plan_.routes[plan_.route_of[record]]);
    if (sink_ != nullptr)
      write_record(slots, slab_of(item, source_.catalog().records[record]), work);
  }
}

void Stream::load(Workspace& work) const {
  collect(work);
  read_slots(work);
  compare_replicas(work);
}

/// The parts of the wanted boxes' regions.
void Stream::collect(Workspace& work) const {
  work.slots.clear();
  for (const Want& want : work.wants) {
    const Route& route = plan_.routes[plan_.route_of[want.record]];
    for (uint32_t g = 0; g < route.regions.size(); ++g) {
      Box box = intersect(route.regions[g].box, want.box);
      if (is_empty(box)) continue;
      work.slots.push_back({want.record, g, route.regions[g].piece, std::move(box), {}});
    }
  }
}

void Stream::read_slots(Workspace& work) const {
  const auto& records = source_.catalog().records;
  const auto bytes_of = [&](const Slot& slot) {
    return slot_bytes(records[slot.record], records[slot.record].pieces[slot.piece], slot.box);
  };
  uint64_t bytes = 0;
  for (const Slot& slot : work.slots) bytes += bytes_of(slot);
  if (work.staging.size() < bytes) work.staging.resize(bytes);
  uint64_t begin = 0;
  work.runs.clear();
  for (Slot& slot : work.slots) {
    const uint64_t size = bytes_of(slot);
    slot.memory = std::span(work.staging).subspan(begin, size);
    begin += size;
    add_runs(slot, slot.piece, slot.memory, work.runs);
  }
  read(work);
  for (Slot& slot : work.slots) {
    decode(slot, slot.piece, slot.memory);
    slot.memory = slot.memory.first(static_cast<size_t>(element_count(slot.box.size)) *
                                    static_cast<size_t>(byte_size(records[slot.record].dtype)));
    work.counts.bytes_read += slot.memory.size();
  }
}

void Stream::add_runs(const Slot& slot, uint32_t piece, std::span<std::byte> memory,
                      std::vector<Run>& runs) const {
  const Record& record = source_.catalog().records[slot.record];
  const Piece& held = record.pieces[piece];
  const uint64_t width = stored_width(record, held);
  if (width == 0) return;
  for_each_run(box_of(record, held), slot.box, slot.box,
               [&](int64_t from, int64_t to, int64_t count) {
                 runs.push_back({held.file, held.bytes.offset + static_cast<uint64_t>(from) * width,
                                 memory.subspan(static_cast<uint64_t>(to) * width,
                                                static_cast<uint64_t>(count) * width)});
               });
}

/// Reads the runs, neighbours in one call.
void Stream::read(Workspace& work) const {
  std::vector<Run>& runs = work.runs;
  const auto before = [](const Run& a, const Run& b) {
    return std::pair(a.file, a.offset) < std::pair(b.file, b.offset);
  };
  if (!std::is_sorted(runs.begin(), runs.end(), before))
    std::sort(runs.begin(), runs.end(), before);
  std::array<std::byte, PlanOptions::kGap> dropped;
  for (size_t i = 0; i < runs.size();) {
    work.scatter.clear();
    const int file = runs[i].file;
    const uint64_t begin = runs[i].offset;
    uint64_t end = begin;
    for (; i < runs.size() && runs[i].file == file && runs[i].offset >= end &&
           runs[i].offset - end < PlanOptions::kGap;
         ++i) {
      if (runs[i].offset > end)
        work.scatter.push_back(std::span(dropped).first(runs[i].offset - end));
      work.scatter.push_back(runs[i].memory);
      end = runs[i].offset + runs[i].memory.size();
    }
    source_.checkpoint.bytes->file(file).read_scattered(begin, work.scatter);
  }
}

/// Makes elements of what was read, in place.
void Stream::decode(const Slot& slot, uint32_t piece, std::span<std::byte> memory) const {
  switch (source_.catalog().records[slot.record].pieces[piece].encoding) {
    case Encoding::kRaw:
      return;
    case Encoding::kZero:
      std::memset(memory.data(), 0, memory.size());
      return;
    case Encoding::kBF16AsF32:
      return round_to_bf16(memory.data(), memory.data(), memory.size() / sizeof(float));
  }
}

void Stream::compare_replicas(Workspace& work) const {
  // The k-th replica of all slots together, so that neighbours in a file are one read.
  struct Pair {
    const Slot* slot;
    uint32_t replica;
    std::span<std::byte> memory;
  };
  std::vector<Pair> pairs;
  for (size_t k = 0;; ++k) {
    pairs.clear();
    uint64_t bytes = 0;
    bool has_more = false;
    for (const Slot& slot : work.slots) {
      const Region& region = plan_.routes[plan_.route_of[slot.record]].regions[slot.region];
      if (k >= region.replicas.size()) continue;
      has_more = true;
      if (!is_compared(plan_, source_, slot.record, region.replicas[k])) continue;
      pairs.push_back({&slot, region.replicas[k], {}});
      const Record& record = source_.catalog().records[slot.record];
      bytes += slot_bytes(record, record.pieces[region.replicas[k]], slot.box);
    }
    if (!has_more) return;
    if (work.other.size() < bytes) work.other.resize(bytes);
    uint64_t begin = 0;
    work.runs.clear();
    for (Pair& pair : pairs) {
      const Record& record = source_.catalog().records[pair.slot->record];
      const uint64_t size = slot_bytes(record, record.pieces[pair.replica], pair.slot->box);
      pair.memory = std::span(work.other).subspan(begin, size);
      begin += size;
      add_runs(*pair.slot, pair.replica, pair.memory, work.runs);
    }
    read(work);
    for (const Pair& pair : pairs) {
      decode(*pair.slot, pair.replica, pair.memory);
      const size_t size = pair.slot->memory.size();
      work.counts.bytes_compared += size;
      if (std::memcmp(pair.memory.data(), pair.slot->memory.data(), size) != 0)
        fail_differs(*pair.slot, pair.replica, pair.memory);
    }
  }
}

void Stream::fail_differs(const Slot& slot, uint32_t replica,
                          std::span<const std::byte> other) const {
  const Catalog& catalog = source_.catalog();
  const Record& record = catalog.records[slot.record];
  const Region& region = plan_.routes[plan_.route_of[slot.record]].regions[slot.region];
  const auto width = static_cast<size_t>(byte_size(record.dtype));
  size_t byte = 0;
  while (other[byte] == slot.memory[byte]) ++byte;
  auto element = static_cast<int64_t>(byte / width);
  Shape index(slot.box.size.size(), 0);
  for (size_t d = slot.box.size.size(); d-- > 0;) {
    index[d] = slot.box.begin[d] + element % slot.box.size[d];
    element /= slot.box.size[d];
  }
  const auto where = [&](uint32_t piece) {
    const auto file = static_cast<size_t>(record.pieces[piece].file);
    return fmt::format("rank {} ({})", source_.rank_of_file[file],
                       printable(catalog.files[file].path.string()));
  };
  fail(ErrorCode::kCorruptData, "'{}' {} differs between {} and {} from element {} on, {}",
       printable(record.name), describe(record), where(region.piece), where(replica),
       to_string(index), why_equal(source_, slot.record));
}

void Stream::add_digests(std::span<const Slot> slots, const Route& route) const {
  const uint32_t r = slots[0].record;
  const Record& record = source_.catalog().records[r];
  const int width = byte_size(record.dtype);
  const auto digest_of = [&](const Slot& slot, const Box& part) {
    return digest_part(slot.memory, width, record.shape, slot.box, part);
  };
  std::vector<Digest> whole_slots;
  Digest total;
  for (const Slot& slot : slots) total += whole_slots.emplace_back(digest_of(slot, slot.box));
  std::unordered_map<uint32_t, Digest> by_slices;
  for (const Feed& feed : route.feeds) {
    const Box& wanted = destination_.slices[feed.slices][feed.slice];
    if (is_empty(wanted)) continue;
    Digest& sum = by_slices[feed.slices];
    for (size_t s = 0; s < slots.size(); ++s) {
      if (contains(wanted, slots[s].box)) {
        sum += whole_slots[s];
      } else if (const Box part = intersect(wanted, slots[s].box); !is_empty(part)) {
        sum += digest_of(slots[s], part);
      }
    }
  }
  const std::scoped_lock lock(mutex_);
  digests_->records[r] += total;
  for (const auto& [slices, digest] : by_slices) digests_->slices[r][slices] += digest;
}

void Stream::write_record(std::span<const Slot> slots, const Box& slab, Workspace& work) const {
  const uint32_t record = slots[0].record;
  const Route& route = plan_.routes[plan_.route_of[record]];
  for (const Place& place : sink_->places(record)) {
    auto feed =
        std::lower_bound(route.feeds.begin(), route.feeds.end(), place.slices,
                         [](const Feed& one, uint32_t slices) { return one.slices < slices; });
    for (; feed != route.feeds.end() && feed->slices == place.slices; ++feed)
      write_slice(place, *feed, slots, slab, work);
  }
}

/// The bytes of the slices before this one in the local tensor.
uint64_t Stream::begin_of_slice(const Feed& feed, uint64_t width) const {
  uint64_t elements = 0;
  for (uint32_t s = 0; s < feed.slice; ++s)
    elements += static_cast<uint64_t>(element_count(destination_.slices[feed.slices][s].size));
  return elements * width;
}

void Stream::write_slice(const Place& place, const Feed& feed, std::span<const Slot> slots,
                         const Box& slab, Workspace& work) const {
  const Box& slice = destination_.slices[feed.slices][feed.slice];
  const Box common = intersect(slice, slab);
  if (is_empty(common)) return;
  const auto width =
      static_cast<uint64_t>(byte_size(source_.catalog().records[slots[0].record].dtype));
  // The part of a box in a slab is one run of it: only the first element's place is asked for.
  uint64_t begin = 0;
  for (size_t d = 0; d < common.size.size(); ++d)
    begin = begin * static_cast<uint64_t>(slice.size[d]) +
            static_cast<uint64_t>(common.begin[d] - slice.begin[d]);
  begin = begin * width + begin_of_slice(feed, width);

  const uint64_t bytes = static_cast<uint64_t>(element_count(common.size)) * width;
  work.counts.bytes_written += bytes;
  bool joins = false;  // short runs are copied at once: a list of them is larger than they are
  work.segments.clear();
  for (const uint32_t region : feed.regions) {
    const auto found =
        std::lower_bound(slots.begin(), slots.end(), region,
                         [](const Slot& slot, uint32_t number) { return slot.region < number; });
    if (found == slots.end() || found->region != region) continue;  // not in this slab
    const Slot& slot = *found;
    const Box part = intersect(slot.box, common);
    if (is_empty(part)) continue;
    if (work.segments.empty() && !(part == common))
      joins = joins || run_bytes(common, slot.box, part, width) < kShortSegment;
    if (joins) {
      if (work.joined.size() < bytes) work.joined.resize(bytes);
      for_each_run(common, slot.box, part, [&](int64_t to, int64_t from, int64_t count) {
        std::memcpy(work.joined.data() + static_cast<uint64_t>(to) * width,
                    slot.memory.data() + static_cast<uint64_t>(from) * width,
                    static_cast<uint64_t>(count) * width);
      });
      continue;
    }
    for_each_run(common, slot.box, part, [&](int64_t to, int64_t from, int64_t count) {
      work.segments.push_back({static_cast<uint64_t>(to) * width,
                               slot.memory.subspan(static_cast<uint64_t>(from) * width,
                                                   static_cast<uint64_t>(count) * width)});
    });
  }
  const auto before = [](const Segment& a, const Segment& b) { return a.to < b.to; };
  if (!std::is_sorted(work.segments.begin(), work.segments.end(), before))
    std::sort(work.segments.begin(), work.segments.end(), before);

  work.gather.clear();
  if (joins) {
    work.gather.push_back(std::span<const std::byte>(work.joined).first(bytes));
  } else if (bytes / work.segments.size() < kShortSegment && work.segments.size() > 1) {
    if (work.joined.size() < bytes) work.joined.resize(bytes);
    for (const Segment& segment : work.segments)
      std::memcpy(work.joined.data() + segment.to, segment.bytes.data(), segment.bytes.size());
    work.gather.push_back(std::span<const std::byte>(work.joined).first(bytes));
  } else {
    for (const Segment& segment : work.segments) work.gather.push_back(segment.bytes);
  }
  sink_->write(place, begin, work.gather);
}

}  // namespace tessera::internal
