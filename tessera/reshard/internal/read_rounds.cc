#include "tessera/reshard/internal/read_rounds.h"

#include <algorithm>
#include <cstring>

#include "tessera/base/error.h"
#include "tessera/base/parallel.h"
#include "tessera/base/text.h"

namespace tessera::internal {
namespace {

/// The row-major elements of a box.
template <typename Byte>
struct Held {
  const Box& box;
  std::span<Byte> bytes;
};

/// Copies what `common` says between two boxes that hold it.
void copy_box(const Held<std::byte>& to, const Held<const std::byte>& from, const Box& common,
              size_t width) {
  for_each_run(to.box, from.box, common, [&](int64_t at, int64_t in, int64_t count) {
    std::memcpy(to.bytes.data() + static_cast<size_t>(at) * width,
                from.bytes.data() + static_cast<size_t>(in) * width,
                static_cast<size_t>(count) * width);
  });
}

size_t width_of(const Record& record) {
  return static_cast<size_t>(byte_size(record.dtype));
}

}  // namespace

ReadRounds::ReadRounds(Communicator& world, const SharedPlan& shared, int threads)
    : world_(world),
      shared_(shared),
      stream_(shared.source, shared.destination, shared.plan, nullptr),
      threads_(thread_count(threads)),
      rank_(world.rank()) {
  find_holders();
  make_tensors();
  is_compared_.resize(shared.reads.reads.size(), false);
  for (size_t i = 0; i < is_compared_.size(); ++i) {
    const uint32_t other = shared.reads.reads[i].compared_with;
    if (other != RankRead::kNothing) is_compared_[i] = is_compared_[other] = true;
  }
  workspaces_.resize(static_cast<size_t>(threads_));
}

std::vector<Tensor> ReadRounds::run() {
  const std::vector<uint32_t>& rounds = shared_.reads.rounds;
  for (size_t i = 0; i + 1 < rounds.size(); ++i) run_round(rounds[i], rounds[i + 1]);
  compare_digests();
  return std::move(tensors_);
}

const Record& ReadRounds::record_of(const RankRead& read) const {
  return shared_.source.catalog().records[read.record];
}

const ReadPart& ReadRounds::part_of(const RankRead& read) const {
  return shared_.reads.parts[shared_.plan.route_of[read.record]][read.part];
}

const Box& ReadRounds::slice_of(const Share& share) const {
  return shared_.destination.slices[share.slices][share.slice];
}

Box ReadRounds::common_of(const Share& share) const {
  return intersect(part_of(shared_.reads.reads[share.read]).box, slice_of(share));
}

uint64_t ReadRounds::bytes_of(std::span<const Share> shares) const {
  uint64_t bytes = 0;
  for (const Share& share : shares)
    bytes += static_cast<uint64_t>(element_count(common_of(share).size)) *
             width_of(record_of(shared_.reads.reads[share.read]));
  return bytes;
}

void ReadRounds::find_holders() {
  const ReshardPlan& plan = shared_.plan;
  holders_.resize(plan.routes.size());
  for (size_t rank = 0; rank < shared_.destination.ranks.size(); ++rank)
    for (const Holding& holding : shared_.destination.ranks[rank]) {
      const uint32_t route = plan.route_of[holding.record];
      if (route != ReshardPlan::kNoRoute && plan.routes[route].example == holding.record)
        holders_[route].emplace_back(static_cast<Rank>(rank), holding.slices);
    }
}

void ReadRounds::make_tensors() {
  const auto& records = shared_.source.catalog().records;
  held_.resize(records.size());
  for (const Holding& holding : shared_.destination.ranks[static_cast<size_t>(rank_)]) {
    held_[holding.record].push_back(static_cast<uint32_t>(tensors_.size()));
    tensors_.emplace_back(records[holding.record].dtype,
                          local_shape(shared_.destination.slices[holding.slices]));
  }
}

void ReadRounds::append_shares(uint32_t number, Rank rank, std::vector<Share>& to) const {
  const RankRead& read = shared_.reads.reads[number];
  const std::vector<Rank>& takers = shared_.reads.takers[read.takers];
  if (!std::binary_search(takers.begin(), takers.end(), rank)) return;
  const auto& holders = holders_[shared_.plan.route_of[read.record]];
  auto holder = std::lower_bound(holders.begin(), holders.end(), std::pair(rank, uint32_t{0}));
  for (uint32_t nth = 0; holder != holders.end() && holder->first == rank; ++holder, ++nth) {
    const std::vector<Box>& slices = shared_.destination.slices[holder->second];
    for (uint32_t s = 0; s < slices.size(); ++s)
      if (overlaps(slices[s], part_of(read).box)) to.push_back({number, holder->second, s, nth});
  }
}

void ReadRounds::run_round(uint32_t first, uint32_t last) {
  first_ = first;
  read_.assign(last - first, {});
  std::vector<uint32_t> own;
  for (uint32_t i = first; i < last; ++i)
    if (shared_.reads.reads[i].reader == rank_) own.push_back(i);
  read_own(own);
  for (const uint32_t i : own) {
    if (!is_compared_[i]) continue;
    const RankRead& read = shared_.reads.reads[i];
    const Box& box = part_of(read).box;
    digests_.push_back(digest_part(read_[i - first_], static_cast<int>(width_of(record_of(read))),
                                   record_of(read).shape, box, box));
  }
  exchange(first, last);
}

/// Equal numbers of parts for each thread; a file's neighbours are read together.
void ReadRounds::read_own(std::span<const uint32_t> own) {
  const size_t groups = std::min(workspaces_.size(), own.size());
  parallel_for(groups, threads_, [&](size_t group) {
    const size_t begin = own.size() * group / groups, end = own.size() * (group + 1) / groups;
    Stream::Workspace& work = workspaces_[group];
    work.slots.clear();
    for (size_t i = begin; i < end; ++i) {
      const RankRead& read = shared_.reads.reads[own[i]];
      work.slots.push_back({read.record, part_of(read).region, read.piece, part_of(read).box, {}});
    }
    stream_.read_slots(work);
    for (size_t i = begin; i < end; ++i) read_[own[i] - first_] = work.slots[i - begin].memory;
  });
}

void ReadRounds::pack(std::span<const Share> shares, std::span<std::byte> to) const {
  for (const Share& share : shares) {
    const RankRead& read = shared_.reads.reads[share.read];
    const Box common = common_of(share);
    const size_t width = width_of(record_of(read));
    copy_box({common, to}, {part_of(read).box, read_[share.read - first_]}, common, width);
    to = to.subspan(static_cast<size_t>(element_count(common.size)) * width);
  }
}

/// The slice's place in this rank's tensor.
std::span<std::byte> ReadRounds::memory_of(const Share& share) {
  const RankRead& read = shared_.reads.reads[share.read];
  int64_t before = 0;
  for (uint32_t s = 0; s < share.slice; ++s)
    before += element_count(shared_.destination.slices[share.slices][s].size);
  return tensors_[held_[read.record][share.nth]].mutable_bytes().subspan(
      static_cast<size_t>(before) * width_of(record_of(read)));
}

void ReadRounds::unpack(std::span<const Share> shares, std::span<const std::byte> from) {
  for (const Share& share : shares) {
    const size_t width = width_of(record_of(shared_.reads.reads[share.read]));
    const Box common = common_of(share);
    copy_box({slice_of(share), memory_of(share)}, {common, from}, common, width);
    from = from.subspan(static_cast<size_t>(element_count(common.size)) * width);
  }
}

Tensor ReadRounds::Space::part(uint64_t begin, uint64_t bytes) {
  return Tensor::view(buffer, static_cast<int64_t>(begin), DType::kU8,
                      {static_cast<int64_t>(bytes)});
}

void ReadRounds::Space::make_room(uint64_t bytes) {
  if (buffer == nullptr || static_cast<uint64_t>(buffer->size()) < bytes)
    buffer = Buffer::allocate(static_cast<int64_t>(std::max<uint64_t>(bytes, 1)));
}

void ReadRounds::exchange(uint32_t first, uint32_t last) {
  const auto ranks = static_cast<size_t>(world_.size());
  std::vector<std::vector<Share>> out(ranks), in(ranks);
  std::vector<Share> own;
  for (uint32_t i = first; i < last; ++i) {
    const RankRead& read = shared_.reads.reads[i];
    if (read.reader != rank_) {
      append_shares(i, rank_, in[static_cast<size_t>(read.reader)]);
      continue;
    }
    for (const Rank taker : shared_.reads.takers[read.takers])
      append_shares(i, taker, taker == rank_ ? own : out[static_cast<size_t>(taker)]);
  }
  // Ranks that get the same (replicas) get it from the same memory.
  std::vector<size_t> like(ranks);
  std::vector<uint64_t> begin(ranks, 0);
  uint64_t sent = 0;
  for (size_t r = 0; r < ranks; ++r) {
    like[r] = static_cast<size_t>(std::find(out.begin(), out.end(), out[r]) - out.begin());
    begin[r] = like[r] == r ? sent : begin[like[r]];
    if (like[r] == r) sent += bytes_of(out[r]);
  }
  send_.make_room(sent);
  std::vector<uint64_t> begin_in(ranks + 1, 0);
  for (size_t r = 0; r < ranks; ++r) begin_in[r + 1] = begin_in[r] + bytes_of(in[r]);
  receive_.make_room(begin_in[ranks]);
  std::vector<Tensor> send, receive;
  for (size_t r = 0; r < ranks; ++r) {
    send.push_back(send_.part(begin[r], bytes_of(out[r])));
    if (like[r] == r) pack(out[r], send.back().mutable_bytes());
    receive.push_back(receive_.part(begin_in[r], begin_in[r + 1] - begin_in[r]));
  }
  for (const Share& share : own) {
    const RankRead& read = shared_.reads.reads[share.read];
    copy_box({slice_of(share), memory_of(share)}, {part_of(read).box, read_[share.read - first_]},
             common_of(share), width_of(record_of(read)));
  }
  world_.all_to_all(send, receive);
  for (size_t r = 0; r < ranks; ++r) unpack(in[r], receive[r].bytes());
}

/// Once, at the end: digests are small.
void ReadRounds::compare_digests() {
  if (std::none_of(is_compared_.begin(), is_compared_.end(), [](bool one) { return one; })) return;
  const auto ranks = static_cast<size_t>(world_.size());
  std::vector<int64_t> counts(ranks, 0);
  const std::vector<RankRead>& reads = shared_.reads.reads;
  for (size_t i = 0; i < reads.size(); ++i)
    if (is_compared_[i]) ++counts[static_cast<size_t>(reads[i].reader)];
  std::vector<Tensor> all;
  for (const int64_t count : counts) all.emplace_back(DType::kU64, Shape{count, 2});
  Tensor mine(DType::kU64, Shape{static_cast<int64_t>(digests_.size()), 2});
  std::span<uint64_t> to = mine.mutable_data<uint64_t>();
  for (size_t i = 0; i < digests_.size(); ++i) {
    to[2 * i] = digests_[i].low;
    to[2 * i + 1] = digests_[i].high;
  }
  world_.all_gather(mine, all);
  std::vector<size_t> next(ranks, 0);
  std::vector<Digest> digests(reads.size());
  for (size_t i = 0; i < reads.size(); ++i) {
    if (!is_compared_[i]) continue;
    const auto reader = static_cast<size_t>(reads[i].reader);
    const std::span<const uint64_t> from = all[reader].data<uint64_t>();
    digests[i] = {from[2 * next[reader]], from[2 * next[reader] + 1]};
    ++next[reader];
  }
  for (size_t i = 0; i < reads.size(); ++i)
    if (const uint32_t other = reads[i].compared_with;
        other != RankRead::kNothing && digests[i] != digests[other])
      fail_differs(reads[other], reads[i]);
}

void ReadRounds::fail_differs(const RankRead& one, const RankRead& other) const {
  const Record& record = record_of(one);
  const auto where = [&](const RankRead& read) {
    const auto file = static_cast<size_t>(record.pieces[read.piece].file);
    return fmt::format("rank {} ({})", shared_.source.rank_of_file[file],
                       printable(shared_.source.catalog().files[file].path.string()));
  };
  fail(ErrorCode::kCorruptData, "'{}' {} differs between {} and {} somewhere in {}, {}",
       printable(record.name), describe(record), where(one), where(other),
       to_string(part_of(one).box), why_equal(shared_.source, one.record));
}

}  // namespace tessera::internal
