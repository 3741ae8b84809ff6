#include "tessera/reshard/assign_readers.h"

#include <gtest/gtest.h>

#include <set>

#include "tessera/base/error.h"
#include "tests/support/memory_job.h"

namespace tessera {
namespace {

using testing::MemoryJob;
using testing::NamedTensors;

/// A job from random files to a random strategy, with random views of the files.
struct RandomLoad {
  explicit RandomLoad(uint32_t seed, uint64_t round_bytes = 0) : job(seed) {
    tensors = job.tensors();
    source = job.open_cut(tensors, "from");
    const Strategy to = job.strategy(tensors);
    destination = destination_of(source.catalog(), to);
    PlanOptions plan_options{.replicas = static_cast<ReplicaCheck>(job.pick(0, 2)), .threads = 1};
    plan = plan_reshard(source, destination, plan_options);
    const int ranks = to.rank_count();
    for (int rank = 0; rank < ranks; ++rank) view.machines.push_back(job.pick(0, ranks / 3));
    const int share = job.pick(0, 100);
    for (size_t file = 0; file < source.catalog().files.size(); ++file) {
      std::vector<Rank>& seers = view.seers.emplace_back();
      const Rank keeper = job.pick(0, ranks - 1);
      for (Rank rank = 0; rank < ranks; ++rank)
        if (rank == keeper || job.pick(0, 99) < share) seers.push_back(rank);
    }
    options.sharing = static_cast<ReadSharing>(job.pick(0, 1));
    options.round_bytes = round_bytes > 0 ? round_bytes : static_cast<uint64_t>(job.pick(8, 4000));
  }

  ReadPlan assign() const { return assign_readers(plan, source, destination, view, options); }
  void verify(const ReadPlan& reads) const {
    tessera::verify(reads, plan, source, destination, view);
  }

  MemoryJob job;
  NamedTensors tensors;
  Source source;
  Destination destination;
  ReshardPlan plan;
  JobView view;
  AssignOptions options;
};

TEST(AssignReaders, EveryElementReachesEveryRankThatHoldsItOnce) {
  for (uint32_t seed = 0; seed < 1000; ++seed) {
    const RandomLoad load(seed);
    const ReadPlan reads = load.assign();
    ASSERT_NO_THROW(load.verify(reads)) << "seed " << seed;
    RankTraffic total;
    for (const RankTraffic& rank : reads.ranks) {
      total.read += rank.read;
      total.sent += rank.sent;
      total.received += rank.received;
      total.held += rank.held;
      EXPECT_LE(rank.received, rank.held);
    }
    EXPECT_EQ(total.sent, total.received);
    EXPECT_EQ(total.held, load.plan.bytes_written);
    if (load.options.sharing == ReadSharing::kInTotal) {
      ASSERT_EQ(total.read, load.plan.bytes_needed + reads.bytes_compared) << "seed " << seed;
    }
    EXPECT_EQ(reads.bytes_compared, load.plan.bytes_compared) << "seed " << seed;
  }
}

TEST(AssignReaders, WhatEveryRankSeesNobodyIsSentWhoHoldsItAlone) {
  for (const int ranks : {2, 3, 6}) {
    MemoryJob job(static_cast<uint32_t>(ranks));
    const NamedTensors tensors{{"w", job.tensor(DType::kF32, {600, 500})}};
    const Strategy whole;
    const Source source = job.open_whole(tensors, "from");
    Strategy rows;
    rows.ranks_per_stage = ranks;
    rows.parameters.push_back({.name = "w"});
    rows.parameters[0].layout = parse_layout(fmt::format("{{tp={}}} [tp, -]", ranks));
    index_parameters(rows);
    const Destination destination = destination_of(source.catalog(), rows);
    const ReshardPlan plan = plan_reshard(source, destination, {.threads = 1});
    JobView view;
    for (Rank rank = 0; rank < ranks; ++rank) view.machines.push_back(0);
    view.seers.emplace_back();
    for (Rank rank = 0; rank < ranks; ++rank) view.seers[0].push_back(rank);
    const ReadPlan reads = assign_readers(plan, source, destination, view);
    verify(reads, plan, source, destination, view);
    uint64_t sent = 0;
    for (const RankTraffic& rank : reads.ranks) sent += rank.sent;
    // Parts that lie across a cut are sent to one of the two.
    EXPECT_LE(sent, static_cast<uint64_t>(ranks - 1) * (uint64_t{64} << 10)) << to_string(reads);
  }
}

TEST(AssignReaders, MachinesReadForThemselvesWhereTheyAreAskedTo) {
  MemoryJob job(1);
  const NamedTensors tensors{{"w", job.tensor(DType::kF32, {300, 500})}};
  const Source source = job.open_whole(tensors, "from");
  Strategy replicas;
  replicas.ranks_per_stage = 6;
  replicas.parameters.push_back({.name = "w"});
  replicas.parameters[0].layout = parse_layout("{dp=6} [-, -]");
  index_parameters(replicas);
  const Destination destination = destination_of(source.catalog(), replicas);
  const ReshardPlan plan = plan_reshard(source, destination, {.threads = 1});
  const JobView view{{{0, 1, 2, 3}}, {0, 0, 1, 1, 2, 2}};  // nobody of machine 2 sees the file
  for (const auto& [sharing, times] :
       {std::pair(ReadSharing::kInTotal, 1U), std::pair(ReadSharing::kPerMachine, 2U)}) {
    const ReadPlan reads = assign_readers(plan, source, destination, view, {.sharing = sharing});
    verify(reads, plan, source, destination, view);
    uint64_t read = 0;
    for (const RankTraffic& rank : reads.ranks) read += rank.read;
    EXPECT_EQ(read, times * 300 * 500 * 4);
    EXPECT_EQ(reads.ranks[5].read, 0U);
    EXPECT_EQ(reads.ranks[5].received, 300U * 500 * 4);
  }
}

TEST(AssignReaders, AFileThatNobodySeesIsNamed) {
  RandomLoad load(5);
  for (std::vector<Rank>& seers : load.view.seers) seers.clear();
  try {
    load.assign();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_NE(std::string(error.what()).find("no rank of the job sees"), std::string::npos);
  }
}

/// What a change of a plan breaks is noticed.
TEST(AssignReaders, TheProofRefusesEveryPlanThatIsNotRight) {
  int refused = 0, tried = 0;
  const auto expect_refused = [&](const RandomLoad& load, const ReadPlan& reads, const char* what) {
    ++tried;
    try {
      load.verify(reads);
      ADD_FAILURE() << what;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInternal);
      ++refused;
    }
  };
  for (uint32_t seed = 0; seed < 300; ++seed) {
    RandomLoad load(seed, uint64_t{1} << 20);
    const ReadPlan good = load.assign();
    if (good.reads.empty()) continue;
    const auto at = static_cast<size_t>(load.job.pick(0, static_cast<int>(good.reads.size()) - 1));
    ReadPlan bad = good;
    bad.reads.erase(bad.reads.begin() + static_cast<std::ptrdiff_t>(at));
    bad.rounds = {0, static_cast<uint32_t>(bad.reads.size())};
    if (good.reads[at].compared_with == RankRead::kNothing)
      expect_refused(load, bad, "a read less");
    bad = good;
    bad.reads.push_back(bad.reads[at]);
    bad.rounds.back() += 1;
    if (good.reads[at].compared_with == RankRead::kNothing) expect_refused(load, bad, "one twice");
    bad = good;
    ReadPart& part = bad.parts[load.plan.route_of[good.reads[at].record]][good.reads[at].part];
    for (int64_t& extent : part.box.size) --extent;
    if (!part.box.size.empty()) expect_refused(load, bad, "a part that is too small");
    bad = good;
    bad.reads[at].takers = 0;
    if (good.reads[at].takers != 0) expect_refused(load, bad, "nobody takes it");
    bad = good;
    RankRead& read = bad.reads[at];
    const int file = load.source.catalog().records[read.record].pieces[read.piece].file;
    for (Rank rank = 0; rank < static_cast<Rank>(load.view.machines.size()); ++rank) {
      if (load.view.sees(rank, file)) continue;
      read.reader = rank;
      expect_refused(load, bad, "a reader that sees nothing");
      break;
    }
    bad = good;
    bad.options.round_bytes = 1;
    if (std::count_if(good.reads.begin(), good.reads.end(),
                      [&](const RankRead& one) { return one.reader == good.reads[0].reader; }) > 1)
      expect_refused(load, bad, "rounds that are too full");
  }
  EXPECT_EQ(refused, tried);
  EXPECT_GT(tried, 1000);
}

}  // namespace
}  // namespace tessera
