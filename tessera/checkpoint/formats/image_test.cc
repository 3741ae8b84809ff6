// CheckpointFormat::image: what is known of a file before its contents are there.
#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "tessera/base/error.h"
#include "tessera/checkpoint/format.h"
#include "tessera/checkpoint/formats/internal/ckpt_write.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/checkpoint/writer.h"
#include "tessera/io/memory_file_system.h"

namespace tessera {
namespace {

const CheckpointFormat& format_of_suffix(std::string_view suffix) {
  for (const CheckpointFormat* format : all_formats())
    if (format->suffix() == suffix) return *format;
  fail(ErrorCode::kInternal, "no format writes {}", suffix);
}

Tensor random_tensor(DType dtype, const Shape& shape, std::mt19937& random) {
  Tensor tensor(dtype, shape);
  for (std::byte& byte : tensor.mutable_bytes())
    byte = static_cast<std::byte>(dtype == DType::kBool ? random() % 2 : random());
  return tensor;
}

/// Entries of every dtype of the format in random shapes; strings in .ckpt, empty tensors in
/// safetensors.
std::vector<SaveEntry> random_entries(std::mt19937& random, bool is_ckpt) {
  constexpr DType kDTypes[] = {DType::kBool, DType::kI8,  DType::kU8,  DType::kI16, DType::kU16,
                               DType::kI32,  DType::kU32, DType::kI64, DType::kU64, DType::kF16,
                               DType::kBF16, DType::kF32, DType::kF64, DType::kC64, DType::kI4x2,
                               DType::kC128};  // the last one: not in safetensors
  std::vector<SaveEntry> entries;
  for (uint32_t i = 0; i < 1 + random() % 40; ++i) {
    SaveEntry entry;
    entry.name = fmt::format("layer{}.\"weight\"\n{}", random() % 7, i);
    if (is_ckpt && random() % 5 == 0) {
      entry.kind = RecordKind::kString;
      for (uint32_t k = random() % 9; k > 0; --k) entry.text += random() % 2 == 0 ? "a" : "\u00e9";
    } else {
      entry.dtype = kDTypes[random() % (std::size(kDTypes) - (is_ckpt ? 0 : 1))];
      for (uint32_t d = random() % 4; d > 0; --d)
        entry.shape.push_back(1 + static_cast<int64_t>(random() % 5));
      if (!is_ckpt && random() % 6 == 0) entry.shape.push_back(0);
      const Tensor tensor = random_tensor(entry.dtype, entry.shape, random);
      entry.produce = [tensor] { return tensor; };
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

/// The file that an image describes, filled in a random order; '?' where nothing lies.
std::string filled(const FileImage& image, std::span<const SaveEntry> entries,
                   std::mt19937& random) {
  std::string file(image.size, '?');
  uint64_t covered = 0;
  for (const FileImage::Fixed& fixed : image.fixed) {
    file.replace(fixed.offset, fixed.bytes.size(), fixed.bytes);
    covered += fixed.bytes.size();
  }
  std::vector<FileImage::Content> contents = image.contents;
  std::shuffle(contents.begin(), contents.end(), random);
  for (const FileImage::Content& content : contents) {
    const Tensor tensor = entries[content.entry].produce();
    const auto part = tensor.bytes().subspan(content.begin, content.bytes.size);
    file.replace(content.bytes.offset, part.size(), reinterpret_cast<const char*>(part.data()),
                 part.size());
    covered += part.size();
  }
  EXPECT_EQ(covered, image.size);
  EXPECT_EQ(file.size(), image.size);
  return file;
}

std::string written(const CheckpointFormat& format, std::span<const SaveEntry> entries,
                    const WriteOptions& options) {
  MemoryFileSystem files;
  format.write(entries, options, *files.create("f"));
  return files.content("f");
}

TEST(FileImage, FilledInAnyOrderItIsTheFileThatIsWritten) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const bool is_ckpt = round % 2 == 0;
    const CheckpointFormat& format = format_of_suffix(is_ckpt ? ".ckpt" : ".safetensors");
    WriteOptions options;
    if (!is_ckpt && round % 3 == 0) options.metadata = {{"a", "b\""}, {"step", "7"}};
    const std::vector<SaveEntry> entries = random_entries(random, is_ckpt);
    const FileImage image = format.image(entries, options);
    EXPECT_TRUE(filled(image, entries, random) == written(format, entries, options)) << round;
  }
}

TEST(FileImage, ACkptCutIntoManyPiecesReadsBackWhole) {
  std::mt19937 random(2);
  for (const uint64_t most : {16, 64, 1000}) {
    const std::vector<SaveEntry> entries = random_entries(random, true);
    MemoryFileSystem files;
    const std::string text = filled(internal::ckpt_image(entries, {}, most), entries, random);
    files.create("a.ckpt")->append(std::as_bytes(std::span(text)));
    const Checkpoint back = open_checkpoint("a.ckpt", {.files = &files});
    ASSERT_EQ(back.catalog.records.size(), entries.size());
    for (const SaveEntry& entry : entries) {
      const Record& record = *back.catalog.find(entry.name);
      if (entry.kind == RecordKind::kString) {
        EXPECT_EQ(read_string(back, record), entry.text);
        continue;
      }
      const Tensor wanted = entry.produce();
      const Tensor found = load_record(back, record);
      EXPECT_EQ(found.shape(), wanted.shape());
      EXPECT_TRUE(std::ranges::equal(found.bytes(), wanted.bytes())) << most << entry.name;
    }
  }
}

TEST(FileImage, ALargeTensorHasAPartForEach512MiBOfACkpt) {
  SaveEntry entry;
  entry.name = "w";
  entry.dtype = DType::kF16;
  entry.shape = {1000, 1 << 20};  // 2,097,152,000 bytes; nothing is produced
  const std::vector<SaveEntry> entries{entry};
  const FileImage ckpt = format_of_suffix(".ckpt").image(entries, {});
  constexpr uint64_t kPiece = uint64_t{512} << 20;
  ASSERT_EQ(ckpt.contents.size(), 4U);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(ckpt.contents[i].begin, i * kPiece);
    EXPECT_EQ(ckpt.contents[i].bytes.size, i < 3 ? kPiece : 2'097'152'000 - 3 * kPiece);
    EXPECT_EQ(ckpt.contents[i].bytes.offset, ckpt.fixed[i].offset + ckpt.fixed[i].bytes.size());
  }
  EXPECT_EQ(ckpt.size, ckpt.contents[3].bytes.end());
  const FileImage safetensors = format_of_suffix(".safetensors").image(entries, {});
  ASSERT_EQ(safetensors.contents.size(), 1U);
  EXPECT_EQ(safetensors.contents[0].bytes.size, 2'097'152'000U);
}

TEST(FileImage, RefusesWhatItCannotLayOut) {
  SaveEntry entry;
  entry.name = "w";
  entry.shape = {2};
  const auto image = [](std::string_view suffix, std::vector<SaveEntry> entries,
                        const WriteOptions& options) {
    return format_of_suffix(suffix).image(entries, options);
  };
  EXPECT_THROW(image(".ckpt", {entry}, {.key = std::string(16, 'k')}), Error);
  EXPECT_THROW(image(".ckpt", {entry}, {.crc = true}), Error);
  EXPECT_THROW(image(".safetensors", {entry}, {.crc = true}), Error);
  EXPECT_THROW(image(".ckpt", {}, {}), Error);
  EXPECT_THROW(image(".ckpt", {entry, entry}, {}), Error);
  SaveEntry huge = entry;
  huge.name = "h";
  huge.shape = {int64_t{1} << 61, 2};
  for (const char* suffix : {".ckpt", ".safetensors"})
    EXPECT_THROW(image(suffix, {huge}, {}), Error) << suffix;
  SaveEntry empty = entry;
  empty.shape = {0};
  EXPECT_THROW(image(".ckpt", {empty}, {}), Error);
}

TEST(FileImage, TenThousandEntriesTakeMilliseconds) {
  std::vector<SaveEntry> entries(10'000);
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i].name = fmt::format("model.layers.{}.self_attn.q_proj.weight", i);
    entries[i].shape = {4096, 512};
  }
  for (const char* suffix : {".ckpt", ".safetensors"}) {
    const auto begin = std::chrono::steady_clock::now();
    const FileImage image = format_of_suffix(suffix).image(entries, {});
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    EXPECT_EQ(image.contents.size(), entries.size());
    EXPECT_LT(time.count(), 500) << suffix;  // some 5 ms on a quiet machine
    RecordProperty(suffix + 1, std::to_string(time.count()));
  }
}

}  // namespace
}  // namespace tessera
