#include "tessera/reshard/digest_source.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <set>

#include "tessera/base/error.h"
#include "tests/support/memory_job.h"

namespace tessera {
namespace {

using testing::MemoryJob;
using testing::NamedTensors;

/// Cuts a box at random until the pieces are small, in any order.
std::vector<Box> cut_at_random(const Box& box, MemoryJob& job) {
  std::vector<Box> boxes{box};
  for (int cuts = job.pick(0, 12); cuts > 0; --cuts) {
    const auto which = static_cast<size_t>(job.pick(0, static_cast<int>(boxes.size()) - 1));
    if (box.size.empty()) break;
    const auto d = static_cast<size_t>(job.pick(0, static_cast<int>(box.size.size()) - 1));
    if (boxes[which].size[d] < 2) continue;
    const int64_t at = job.pick(1, static_cast<int>(boxes[which].size[d]) - 1);
    Box rest = boxes[which];
    boxes[which].size[d] = at;
    rest.begin[d] += at;
    rest.size[d] -= at;
    boxes.insert(boxes.begin() + job.pick(0, static_cast<int>(boxes.size())), rest);
  }
  return boxes;
}

Digest sum_of(const Tensor& tensor, std::span<const Box> boxes) {
  Digest sum;
  for (const Box& box : boxes) sum += digest_box(tensor.slice(box), tensor.shape(), box);
  return sum;
}

bool is_equal(const Tensor& a, const Tensor& b) {
  const auto x = a.bytes(), y = b.bytes();
  return std::equal(x.begin(), x.end(), y.begin(), y.end());
}

TEST(Digest, AnyCuttingInAnyOrderGivesTheDigestOfTheWhole) {
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    MemoryJob job(seed);
    for (const auto& [name, tensor] : job.tensors()) {
      const std::vector<Box> boxes = cut_at_random(whole(tensor.shape()), job);
      ASSERT_EQ(sum_of(tensor, boxes), digest(tensor))
          << "seed " << seed << " " << describe(tensor);
    }
  }
}

TEST(Digest, ASwappedMissingDoubledOrZeroedRegionChangesIt) {
  std::array<int, 4> tried{};
  for (uint32_t seed = 0; seed < 3000; ++seed) {
    MemoryJob job(seed);
    for (const auto& [name, tensor] : job.tensors()) {
      std::vector<Box> boxes = cut_at_random(whole(tensor.shape()), job);
      const Digest wanted = digest(tensor);
      const auto which = static_cast<size_t>(job.pick(0, static_cast<int>(boxes.size()) - 1));
      const Box& box = boxes[which];

      std::vector<Box> without = boxes;
      without.erase(without.begin() + static_cast<int64_t>(which));
      ASSERT_NE(sum_of(tensor, without), wanted) << "missing, seed " << seed;
      std::vector<Box> twice = boxes;
      twice.push_back(box);
      ASSERT_NE(sum_of(tensor, twice), wanted) << "doubled, seed " << seed;
      ++tried[0], ++tried[1];

      Tensor zeroed = tensor.clone();
      Tensor zeros(tensor.dtype(), box.size);
      for (std::byte& byte : zeros.mutable_bytes()) byte = std::byte{0};
      Tensor region = zeroed.slice(box);
      copy_elements(zeros, region);
      if (!is_equal(zeroed, tensor)) {
        ASSERT_NE(sum_of(zeroed, boxes), wanted) << "zeroed, seed " << seed;
        ++tried[2];
      }
      for (const Box& other : boxes) {
        if (other == box || other.size != box.size) continue;
        Tensor swapped = tensor.clone();
        Tensor here = swapped.slice(box), there = swapped.slice(other);
        copy_elements(tensor.slice(other), here);
        copy_elements(tensor.slice(box), there);
        if (is_equal(swapped, tensor)) continue;
        ASSERT_NE(sum_of(swapped, boxes), wanted) << "swapped, seed " << seed;
        ++tried[3];
      }
    }
  }
  for (const int count : tried) EXPECT_GT(count, 300);
}

TEST(DigestSource, EveryWayToCutACheckpointHasTheSameDigests) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    MemoryJob job(seed);
    const NamedTensors tensors = job.tensors();
    DigestOptions options;
    options.plan.threads = job.pick(1, 3);
    const Source all = job.open_whole(tensors, "whole");
    const Source cut = job.open_cut(tensors, "cut");
    const SourceDigest wanted = digest_source(all, options), found = digest_source(cut, options);
    ASSERT_EQ(found.total, wanted.total) << "seed " << seed;
    ASSERT_EQ(found.records.size(), tensors.size());
    for (const RecordDigest& record : found.records) {
      const auto is_it = [&](const auto& one) { return one.first == record.name; };
      const auto tensor = std::find_if(tensors.begin(), tensors.end(), is_it);
      ASSERT_EQ(record.digest, digest(tensor->second)) << "seed " << seed << " " << record.name;
    }
  }
}

TEST(DigestSource, SlabsOfLargeTensorsAddUp) {
  MemoryJob job(7);
  const NamedTensors tensors{{"large", job.tensor(DType::kF32, {3, 700, 130})},
                             {"small", job.tensor(DType::kF16, {5})}};
  DigestOptions options;
  options.plan.memory = 1 << 20;
  options.plan.threads = 2;
  std::vector<uint64_t> steps;
  options.progress = [&](uint64_t done, uint64_t total) {
    steps.push_back(done);
    EXPECT_EQ(total, 3U * 700 * 130 * 4 + 10);
  };
  const SourceDigest found = digest_source(job.open_whole(tensors, "whole"), options);
  for (const RecordDigest& record : found.records)
    EXPECT_EQ(record.digest, digest(tensors[record.name == "large" ? 0 : 1].second));
  EXPECT_GT(steps.size(), 4U);
  EXPECT_TRUE(std::is_sorted(steps.begin(), steps.end()));
  EXPECT_EQ(steps.back(), found.bytes_read);
}

TEST(DigestSource, TheTotalKnowsWhichTensorHasWhichValuesNameAndShape) {
  MemoryJob job(3);
  const Tensor x = job.tensor(DType::kF32, {4, 3}), y = job.tensor(DType::kF32, {4, 3});
  const auto total = [&](const NamedTensors& tensors) {
    return to_string(digest_source(job.open_whole(tensors, "w")).total);
  };
  std::set<std::string> different{total({{"a", x}, {"b", y}}),
                                  total({{"a", y}, {"b", x}}),
                                  total({{"a", x}, {"c", y}}),
                                  total({{"a", x}}),
                                  total({{"a", x}, {"b", y.reshape({12})}}),
                                  total({{"a", x}, {"b", x}})};
  EXPECT_EQ(different.size(), 6U);
  EXPECT_EQ(total({{"a", x}, {"b", y}}), total({{"b", y}, {"a", x}}));
}

TEST(DigestSource, NamesWhatNoFileHolds) {
  MemoryJob job(5);
  const NamedTensors tensors{{"w", job.tensor(DType::kF32, {6, 2})}};
  Strategy rows;
  rows.ranks_per_stage = 3;
  rows.parameters.push_back({.name = "w", .layout = parse_layout("{tp=3} [tp, -]")});
  index_parameters(rows);
  std::vector<RankFile> files = job.cut(tensors, rows, "one");
  files.erase(files.begin() + 1);
  try {
    digest_source(job.open(files, &rows));
    FAIL() << "a third of the rows is missing";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_NE(std::string(error.what()).find("rank 1"), std::string::npos) << error.what();
  }
}

TEST(PlanOfARank, EveryRankAloneIsPlannedWhateverItsNumber) {
  MemoryJob job(11);
  const NamedTensors tensors{{"w", job.tensor(DType::kF32, {8})}};
  Strategy both;
  both.ranks_per_stage = 8;
  both.parameters.push_back({.name = "w", .layout = parse_layout("{dp=8} [-]")});
  index_parameters(both);
  const Source source = job.open_whole(tensors, "whole");
  const Destination destination = destination_of(source.catalog(), both);
  for (Rank rank = 0; rank < 8; ++rank) {
    PlanOptions options;
    options.ranks = {rank};
    const ReshardPlan plan = plan_reshard(source, destination, options);
    verify(plan, source, destination);
    EXPECT_EQ(plan.bytes_written, 32U) << rank;
  }
}

TEST(DigestSource, RefusesReplicasThatDiffer) {
  MemoryJob job(5);
  const NamedTensors tensors{{"w", job.tensor(DType::kF32, {6})}};
  Strategy both;
  both.ranks_per_stage = 2;
  both.parameters.push_back({.name = "w", .layout = parse_layout("{dp=2} [-]")});
  index_parameters(both);
  std::vector<RankFile> files = job.cut(tensors, both, "one");
  files[1] = job.cut({{"w", job.tensor(DType::kF32, {6})}}, both, "two")[1];
  DigestOptions options;
  options.plan.replicas = ReplicaCheck::kAll;
  EXPECT_THROW(digest_source(job.open(files, &both), options), Error);
  options.plan.replicas = ReplicaCheck::kNone;
  EXPECT_EQ(digest_source(job.open(files, &both), options).records[0].digest,
            digest(tensors[0].second));
}

}  // namespace
}  // namespace tessera
