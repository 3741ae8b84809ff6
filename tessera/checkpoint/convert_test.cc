#include "tessera/checkpoint/convert.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tessera/base/error.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/checkpoint/writer.h"
#include "tessera/io/memory_file_system.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

Tensor floats(std::vector<float> values) {
  const auto count = static_cast<int64_t>(values.size());
  return Tensor::of(std::span<const float>(values), {count});
}

void put(MemoryFileSystem& files, const std::string& path,
         const std::vector<std::pair<std::string, Tensor>>& tensors, WriteOptions options = {}) {
  options.files = &files;
  CheckpointWriter writer(path, options);
  for (const auto& [name, tensor] : tensors) writer.add(name, tensor);
  writer.finish();
}

std::string value_of(MemoryFileSystem& files, const std::string& path, std::string_view name) {
  const Checkpoint checkpoint = open_checkpoint(path, {.files = &files});
  return to_string(load_record(checkpoint, *checkpoint.catalog.find(name)));
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
    return "";
  } catch (const Error& error) {
    EXPECT_NE(error.code(), ErrorCode::kInternal);
    return error.what();
  }
}

/// r/rank0/n_0.ckpt to r/rank3/n_3.ckpt, and what is none of them.
MemoryFileSystem& fill_ranks(MemoryFileSystem& files) {
  for (int rank = 0; rank < 4; ++rank)
    put(files, fmt::format("r/rank{0}/n_{0}.ckpt", rank),
        {{"fc.weight", floats({1, static_cast<float>(rank)})}, {"fc.bias", floats({7})}});
  files.put("r/other/n.ckpt", "not looked at");
  files.put("r/rank0/notes.txt", "nor this");
  return files;
}

TEST(Convert, RankFoldersGoThereAndBack) {
  MemoryFileSystem files;
  fill_ranks(files);
  const auto there = ckpt_to_safetensors("r", {.save_path = "out", .open = {.files = &files}});
  ASSERT_EQ(there.size(), 4U);
  EXPECT_EQ(there[2].destination, "out/rank2/n_2.safetensors");
  EXPECT_EQ(value_of(files, "out/rank2/n_2.safetensors", "fc.weight"), "f32[2] {1, 2}");
  const auto back = safetensors_to_ckpt("out", {.open = {.files = &files}});
  ASSERT_EQ(back.size(), 4U);
  for (int rank = 0; rank < 4; ++rank) {
    const std::string path = fmt::format("out/rank{0}/n_{0}.ckpt", rank);
    for (const char* name : {"fc.weight", "fc.bias"})
      EXPECT_EQ(value_of(files, path, name),
                value_of(files, fmt::format("r/rank{0}/n_{0}.ckpt", rank), name));
  }
}

TEST(Convert, OneFileLandsBesideItselfOrWhereItIsSent) {
  MemoryFileSystem files;
  put(files, "a/n.ckpt", {{"w", floats({1})}, {"b", floats({2})}}, {.crc = true});
  const ConvertOptions renamed{.name_map = {{"w", "net.w"}}, .open = {.files = &files}};
  EXPECT_EQ(ckpt_to_safetensors("a/n.ckpt", renamed)[0].destination, "a/n.safetensors");
  EXPECT_EQ(value_of(files, "a/n.safetensors", "net.w"), "f32[1] {1}");
  EXPECT_EQ(value_of(files, "a/n.safetensors", "b"), "f32[1] {2}");
  ckpt_to_safetensors("a/n.ckpt", {.save_path = "b", .open = {.files = &files}});
  EXPECT_EQ(value_of(files, "b/n.safetensors", "w"), "f32[1] {1}");
  put(files, "c/n.safetensors", {{"w", floats({1})}}, {.metadata = {{"step", "9"}}});
  EXPECT_EQ(
      safetensors_to_ckpt("c/n.safetensors", {.open = {.files = &files}})[0].metadata_left_out,
      std::vector<std::string>{"step"});
}

TEST(Convert, ARegularExpressionChoosesFiles) {
  MemoryFileSystem files;
  fill_ranks(files);
  put(files, "r/rank0/old_0.ckpt", {{"w", floats({1})}});
  EXPECT_EQ(
      ckpt_to_safetensors("r", {.file_name_regex = "^n_[12]", .open = {.files = &files}}).size(),
      2U);
  EXPECT_FALSE(files.exists("r/rank0/old_0.safetensors"));
}

TEST(Convert, WhatDoesNotFitIsRefusedBeforeAnythingIsWritten) {
  MemoryFileSystem files;
  fill_ranks(files);
  files.put("empty/rank_0/notes.txt", "");
  const auto error = [&](const std::string& source, ConvertOptions options) {
    options.open.files = &files;
    return error_of([&] { ckpt_to_safetensors(source, options); });
  };
  const std::vector<std::tuple<std::string, ConvertOptions, std::string>> cases{
      {"r", {.save_path = "out.d"}, "has an extension"},
      {"r/rank0/notes.txt", {}, "is no .ckpt file"},
      {"r/rank0/n_9.ckpt", {}, "n_9.ckpt"},
      {"r/other", {}, "begins with 'rank'"},
      {"empty", {}, "holds no .ckpt file"},
      {"r", {.file_name_regex = "x"}, "matches the regular expression"},
      {"r", {.file_name_regex = "("}, "no regular expression"},
      {"r/rank0/n_0.ckpt", {.file_name_regex = "n_1"}, "does not match"},
      {"r", {.name_map = {{"fc.wight", "w"}}}, "nearest: 'fc.weight'"},
      {"r", {.name_map = {{"fc.weight", "fc.bias"}}}, "two tensors are called 'fc.bias'"}};
  for (const auto& [source, options, message] : cases) {
    const std::string found = error(source, options);
    EXPECT_NE(found.find(message), found.npos) << message << ": " << found;
  }
  EXPECT_FALSE(files.exists("r/rank0/n_0.safetensors"));
}

TEST(Convert, StringsAndWrongContentAreRefusedByName) {
  MemoryFileSystem files;
  CheckpointWriter writer("n.ckpt", {.files = &files});
  writer.add_text("note", "text");
  writer.finish();
  const ConvertOptions options{.open = {.files = &files}};
  EXPECT_NE(error_of([&] { ckpt_to_safetensors("n.ckpt", options); }).find("'note'"),
            std::string::npos);
  put(files, "s.safetensors", {{"w", floats({1})}});
  files.put("liar.ckpt", files.content("s.safetensors"));
  EXPECT_NE(error_of([&] { ckpt_to_safetensors("liar.ckpt", options); }).find("is safetensors"),
            std::string::npos);
}

TEST(Convert, MindSporesShardsGoThereAndBack) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::filesystem::path source = testing::shared_data() / "mindspore/strategy/src/tp8";
  const std::filesystem::path scratch =
      std::filesystem::temp_directory_path() / fmt::format("tessera_convert_{}", ::getpid());
  std::filesystem::remove_all(scratch);
  EXPECT_EQ(ckpt_to_safetensors(source, {.save_path = scratch}).size(), 8U);
  for (const ConvertedFile& file : safetensors_to_ckpt(scratch, {.threads = 2})) {
    const Checkpoint back = open_checkpoint(file.destination);
    const Checkpoint wanted =
        open_checkpoint(source / file.destination.lexically_relative(scratch));
    ASSERT_EQ(back.catalog.records.size(), wanted.catalog.records.size());
    for (const Record& record : wanted.catalog.records) {
      const Tensor a = load_record(wanted, record);
      const Tensor b = load_record(back, *back.catalog.find(record.name));
      EXPECT_EQ(a.shape(), b.shape());
      EXPECT_TRUE(std::ranges::equal(a.bytes(), b.bytes())) << record.name;
    }
  }
  std::filesystem::remove_all(scratch);
}

TEST(Segments, BecomeOneCheckpointAndMayRepeatEqualValues) {
  MemoryFileSystem files;
  put(files, "s/0.ckpt", {{"a", floats({1})}, {"step", floats({5})}});
  put(files, "s/1.ckpt", {{"b", floats({2})}, {"step", floats({5})}});
  put(files, "s/2.ckpt", {{"step", floats({5})}});
  files.put("s/x.safetensors", "not looked at");
  const Checkpoint all = load_segmented_checkpoints("s", {.files = &files});
  EXPECT_EQ(all.catalog.names(), (std::vector<std::string>{"a", "step", "b"}));
  EXPECT_EQ(to_string(load_record(all, *all.catalog.find("b"))), "f32[1] {2}");
  put(files, "s/3.ckpt", {{"a", floats({3})}});
  const auto load = [&] { load_segmented_checkpoints("s", {.files = &files}); };
  const std::string error = error_of(load);
  EXPECT_NE(error.find("s/0.ckpt and s/3.ckpt hold different values of 'a'"), error.npos) << error;
  files.remove("s/3.ckpt");
  put(files, "s/3.ckpt", {{"a", floats({1, 1})}});
  EXPECT_NE(error_of(load).find("f32[1] and f32[2]"), std::string::npos);
  const auto none = [&] { load_segmented_checkpoints("t", {.files = &files}); };
  EXPECT_NE(error_of(none).find("no folder"), std::string::npos);
  files.put("t/a.txt", "");
  EXPECT_NE(error_of(none).find("no .ckpt file"), std::string::npos);
}

}  // namespace
}  // namespace tessera
