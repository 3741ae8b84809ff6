#include "tessera/checkpoint/load_plan.h"

#include <gtest/gtest.h>

#include <random>

#include "tessera/base/error.h"
#include "tessera/checkpoint/digest.h"
#include "tessera/checkpoint/formats/internal/ckpt_records.h"
#include "tessera/checkpoint/writer.h"
#include "tessera/io/memory_file_system.h"

namespace tessera {
namespace {

/// A checkpoint in memory that holds `w` of this shape, element i having the value i, cut into
/// `pieces` boxes in a random order, some of them twice.
struct Sample {
  Checkpoint checkpoint;
  Tensor whole_tensor;
};

Box random_box(const Shape& shape, std::mt19937& random) {
  Box box = whole(shape);
  for (size_t d = 0; d < shape.size(); ++d) {
    box.begin[d] = static_cast<int64_t>(random()) % shape[d];
    box.size[d] = 1 + static_cast<int64_t>(random()) % (shape[d] - box.begin[d]);
  }
  return box;
}

Sample make_sample(const Shape& shape, size_t pieces, std::mt19937& random) {
  Sample sample;
  sample.whole_tensor = Tensor(DType::kI32, shape);
  int32_t next = 0;
  for (int32_t& value : sample.whole_tensor.mutable_data<int32_t>()) value = next++;
  Record record{"w", RecordKind::kTensor, DType::kI32, shape, {}, {}};
  std::string content;
  for (size_t i = 0; i < pieces; ++i) {
    const Box box = i + 1 == pieces ? whole(shape) : random_box(shape, random);
    content += std::string(random() % 7, '#');  // unaligned, with gaps
    const Tensor part = sample.whole_tensor.slice(box).contiguous();
    const std::span<const std::byte> bytes = part.bytes();
    record.pieces.push_back(
        make_piece(record, Encoding::kRaw, {content.size(), bytes.size()}, box));
    content.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  std::shuffle(record.pieces.begin(), record.pieces.end(), random);
  sample.checkpoint.catalog.files.push_back({"memory", "test", content.size()});
  sample.checkpoint.catalog.records.push_back(record);
  sample.checkpoint.bytes = std::make_shared<const ByteSource>(
      std::vector<std::shared_ptr<const RandomAccessFile>>{memory_file(content, "memory")});
  return sample;
}

TEST(LoadPlan, AnyCuttingFillsAnyBoxes) {
  std::mt19937 random(7);
  const Shape kShapes[] = {{5, 7, 3}, {16}, {}, {1, 9}, {3, 1, 4, 2}};
  for (int round = 0; round < 400; ++round) {
    const Shape& shape = kShapes[random() % std::size(kShapes)];
    const Sample sample = make_sample(shape, 1 + random() % 6, random);
    std::vector<Target> targets;
    for (size_t i = 0; i < 1 + random() % 4; ++i)
      targets.push_back({"w", DType::kI32, shape, random_box(shape, random)});
    LoadOptions options;
    options.threads = 1 + static_cast<int>(random() % 3);
    options.map = random() % 2 == 0;
    options.largest_gap = random() % 20;
    options.largest_read = 1 + random() % 200;
    const std::vector<Tensor> tensors = load_tensors(sample.checkpoint, targets, options);
    for (size_t i = 0; i < targets.size(); ++i) {
      const Tensor wanted = sample.whole_tensor.slice(targets[i].box).contiguous();
      ASSERT_EQ(tensors[i].shape(), wanted.shape());
      ASSERT_TRUE(std::ranges::equal(tensors[i].data<int32_t>(), wanted.data<int32_t>()));
    }
  }
}

TEST(LoadPlan, ReadsAreSortedAndNeighboursShareOne) {
  MemoryFileSystem files;
  CheckpointWriter writer("a.ckpt", {.files = &files});
  for (int i = 0; i < 20; ++i)
    writer.add("w" + std::to_string(i), Tensor::scalar(static_cast<float>(i)));
  writer.finish();
  const Checkpoint checkpoint = open_checkpoint("a.ckpt", {.files = &files});
  const std::vector<Target> targets = targets_of(checkpoint.catalog);
  EXPECT_EQ(plan_load(checkpoint.catalog, targets).reads.size(), 1U);
  const LoadPlan apart = plan_load(checkpoint.catalog, targets, {.largest_gap = 0});
  EXPECT_EQ(apart.reads.size(), 20U);
  for (size_t i = 1; i < apart.reads.size(); ++i)
    EXPECT_LT(apart.reads[i - 1].bytes.offset, apart.reads[i].bytes.offset);
}

TEST(LoadPlan, VerifyFindsEveryKindOfWrongPlan) {
  std::mt19937 random(3);
  const Sample sample = make_sample({6, 4}, 4, random);
  const Catalog& catalog = sample.checkpoint.catalog;
  const std::vector<Target> targets{{"w", DType::kI32, {6, 4}, {{1, 0}, {4, 3}}}};
  const LoadPlan good = plan_load(catalog, targets, {.largest_gap = 0});
  verify(good, catalog, targets);
  ASSERT_FALSE(good.transfers.empty());
  const auto expect_wrong = [&](const std::function<void(LoadPlan&)>& spoil) {
    LoadPlan plan = good;
    spoil(plan);
    EXPECT_THROW(verify(plan, catalog, targets), Error);
  };
  expect_wrong([](LoadPlan& plan) { plan.transfers.pop_back(); });
  expect_wrong([](LoadPlan& plan) { plan.transfers.push_back(plan.transfers[0]); });
  expect_wrong([](LoadPlan& plan) { plan.transfers[0].box.begin[0] -= 1; });
  expect_wrong([](LoadPlan& plan) { plan.transfers[0].box.size[1] += 1; });
  expect_wrong([](LoadPlan& plan) { plan.transfers[0].piece = 99; });
  expect_wrong([](LoadPlan& plan) { plan.transfers[0].target = 99; });
  expect_wrong([](LoadPlan& plan) { plan.transfers[0].record = 99; });
  expect_wrong([](LoadPlan& plan) { plan.reads.pop_back(); });
  expect_wrong([](LoadPlan& plan) { plan.reads.push_back(plan.reads[0]); });
  expect_wrong([](LoadPlan& plan) { plan.reads[0].bytes.size -= 1; });
  expect_wrong([](LoadPlan& plan) { plan.reads[0].bytes.offset += 1; });
  expect_wrong([](LoadPlan& plan) { plan.reads[0].file = 1; });
}

TEST(LoadPlan, TargetsThatDoNotFitNameBothSides) {
  std::mt19937 random(1);
  const Sample sample = make_sample({4}, 1, random);
  const auto error = [&](const Target& target) -> std::string {
    try {
      plan_load(sample.checkpoint.catalog, {&target, 1});
      return "";
    } catch (const Error& thrown) {
      return thrown.what();
    }
  };
  EXPECT_NE(error({"w", DType::kF32, {4}, whole({4})})
                .find("'w' is i32[4] in the checkpoint but "
                      "f32[4] is wanted"),
            std::string::npos);
  EXPECT_NE(error({"w", DType::kI32, {5}, whole({5})}).find("i32[5] is wanted"), std::string::npos);
  EXPECT_NE(error({"W", DType::kI32, {4}, whole({4})}).find("has no 'W' (nearest: 'w')"),
            std::string::npos);
  EXPECT_NE(error({"w", DType::kI32, {4}, {{2}, {3}}}).find("lies outside"), std::string::npos);
}

TEST(LoadPlan, AnAlignedRawPieceOfAMappedFileIsAViewOfIt) {
  MemoryFileSystem files;
  CheckpointWriter writer("a.safetensors", {.files = &files});
  const float values[] = {1, 2, 3};
  writer.add("w", Tensor::of<float>(values, {3}));
  writer.finish();
  const Checkpoint checkpoint = open_checkpoint("a.safetensors", {.files = &files});
  const std::vector<Target> targets = targets_of(checkpoint.catalog);
  EXPECT_FALSE(load_tensors(checkpoint, targets, {.map = true})[0].buffer()->is_writable());
  EXPECT_TRUE(load_tensors(checkpoint, targets)[0].buffer()->is_writable());
}

TEST(FlatRange, BoxesCoverExactlyTheElements) {
  for (const Shape& shape : {Shape{3, 4}, Shape{2, 3, 2}, Shape{5}, Shape{}, Shape{1, 1, 3}}) {
    const int64_t total = element_count(shape);
    for (int64_t begin = 0; begin <= total; ++begin) {
      for (int64_t end = begin; end <= total; ++end) {
        std::vector<int> seen(static_cast<size_t>(total), 0);
        const auto boxes = internal::boxes_of_flat_range(shape, begin, end);
        EXPECT_LE(boxes.size(), 2 * shape.size() + 1);
        for (const internal::FlatBox& part : boxes) {
          bool is_first = true;
          for_each_run(whole(shape), part.box, part.box, [&](int64_t at, int64_t, int64_t count) {
            if (std::exchange(is_first, false)) {
              EXPECT_EQ(at, part.begin);
            }
            for (int64_t i = 0; i < count; ++i) ++seen[static_cast<size_t>(at + i)];
          });
        }
        for (int64_t i = 0; i < total; ++i)
          ASSERT_EQ(seen[static_cast<size_t>(i)], i >= begin && i < end ? 1 : 0);
      }
    }
  }
}

TEST(Digest, DoesNotDependOnTheCuttingAndSeesEveryChange) {
  std::mt19937 random(5);
  const Shape shape{6, 5, 4};
  for (const DType dtype : {DType::kU8, DType::kF16, DType::kF32, DType::kF64, DType::kC128}) {
    Tensor tensor(dtype, shape);
    for (std::byte& byte : tensor.mutable_bytes()) byte = static_cast<std::byte>(random());
    const Digest wanted = digest(tensor);
    Digest sum;
    for (int64_t i = 6; i-- > 0;)
      for (const auto& [begin, size] : {std::pair<int64_t, int64_t>{3, 2}, {0, 3}}) {
        const Box box{{i, begin, 0}, {1, size, 4}};
        sum += digest_box(tensor.slice(box), shape, box);
      }
    EXPECT_EQ(sum, wanted) << to_string(dtype);
    const auto width = static_cast<size_t>(byte_size(dtype));
    Tensor swapped = tensor.clone();
    std::swap_ranges(swapped.mutable_bytes().begin(), swapped.mutable_bytes().begin() + 40 * 1,
                     swapped.mutable_bytes().begin() + 60);
    EXPECT_NE(digest(swapped), wanted);
    Tensor zeroed = tensor.clone();
    std::ranges::fill(zeroed.mutable_bytes().subspan(8 * width, 3 * width), std::byte{});
    EXPECT_NE(digest(zeroed), wanted);
    EXPECT_NE(digest_box(tensor.slice({{0, 0, 0}, {5, 5, 4}}), shape, {{0, 0, 0}, {5, 5, 4}}),
              wanted);
    EXPECT_NE(sum += sum, wanted);
  }
  Tensor zeros(DType::kF32, {8});
  std::ranges::fill(zeros.mutable_bytes(), std::byte{});
  EXPECT_NE(digest(zeros), Digest{});
  EXPECT_EQ(to_string(digest(zeros)).size(), 32U);
}

}  // namespace
}  // namespace tessera
