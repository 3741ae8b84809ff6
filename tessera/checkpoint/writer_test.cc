#include "tessera/checkpoint/writer.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tessera/base/error.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/io/faulty_file_system.h"
#include "tessera/io/memory_file_system.h"
#include "tests/support/error_of.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

using testing::error_of;

std::string file_text(const std::filesystem::path& path) {
  return read_text(path, uint64_t{1} << 30);
}

/// Loads everything in `path` and gives it to a writer.
void copy_all(const Checkpoint& from, CheckpointWriter& writer) {
  const std::vector<Target> targets = targets_of(from.catalog);
  const std::vector<Tensor> tensors = load_tensors(from, targets);
  size_t next = 0;
  for (const Record& record : from.catalog.records) {
    if (record.kind == RecordKind::kString) {
      writer.add_text(record.name, read_string(from, record));
    } else {
      writer.add(record.name, tensors[next++]);
    }
  }
  writer.finish();
}

std::string rewritten(const std::filesystem::path& path, WriteOptions options,
                      const OpenOptions& open = {}) {
  MemoryFileSystem files;
  options.files = &files;
  CheckpointWriter writer("out" + path.extension().string(), options);
  copy_all(open_checkpoint(path, open), writer);
  EXPECT_EQ(files.list(".").size(), 0U);  // names in memory have no folder
  return files.content("out" + path.extension().string());
}

Tensor numbers(int64_t count) {
  Tensor tensor(DType::kF32, {count});
  for (int64_t i = 0; i < count; ++i)
    tensor.mutable_data<float>()[static_cast<size_t>(i)] = static_cast<float>(i);
  return tensor;
}

TEST(CheckpointWriter, WritesTheBytesThatMindSporeWrites) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::filesystem::path folder = testing::shared_data() / "mindspore/ckpt";
  for (const char* name :
       {"small_plain", "all_dtypes", "append_dict", "dtype_complex64", "dtype_complex128",
        "dtype_qint4x2", "empty_tensors", "train_adam", "train_adamw_group", "train_momentum",
        "train_momentum_dynlr", "callback_net-1_2", "callback_net-2_4"}) {
    const std::filesystem::path path = folder / (std::string(name) + ".ckpt");
    EXPECT_TRUE(rewritten(path, {}) == file_text(path)) << name;
  }
  EXPECT_TRUE(rewritten(folder / "small_plain.ckpt", {.crc = true}) ==
              file_text(folder / "small_crc.ckpt"));
  for (const char* name : {"small", "all_dtypes", "append_ok"}) {
    const std::filesystem::path path = folder / (std::string(name) + ".safetensors");
    EXPECT_TRUE(rewritten(path, {}) == file_text(path)) << name;
  }
  EXPECT_TRUE(rewritten(folder / "small.safetensors", {.crc = true}) ==
              file_text(folder / "small_crc.safetensors"));
}

TEST(CheckpointWriter, WritesTheBytesOfEveryShardThatMindSporeWrote) {
  TESSERA_NEEDS_SHARED_DATA();
  size_t count = 0;
  for (const char* place : {"src", "out"}) {
    const std::filesystem::path root = testing::shared_data() / "mindspore/strategy" / place;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      if (entry.path().extension() != ".ckpt") continue;
      EXPECT_TRUE(rewritten(entry.path(), {}) == file_text(entry.path())) << entry.path();
      ++count;
    }
  }
  EXPECT_GT(count, 150U);
}

TEST(CheckpointWriter, WhatItEncryptsItReads) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::filesystem::path folder = testing::shared_data() / "mindspore/ckpt";
  const std::string plain = file_text(folder / "small_plain.ckpt");
  for (const std::string cipher : {"AES-GCM", "AES-CBC", "SM4-CBC"}) {
    for (const std::string& key :
         {std::string(16, 'k'), std::string(24, 'k'), std::string(32, 'k')}) {
      if (cipher == "SM4-CBC" && key.size() != 16) continue;
      MemoryFileSystem files;
      CheckpointWriter writer("e.ckpt", {.key = key, .cipher = cipher, .files = &files});
      copy_all(open_checkpoint(folder / "small_plain.ckpt"), writer);
      const std::string encrypted = files.content("e.ckpt");
      EXPECT_EQ(encrypted.size(), cipher == "AES-GCM" ? 517U : 512U);
      const Checkpoint back = open_checkpoint("e.ckpt", {.key = key, .files = &files});
      CheckpointWriter again("p.ckpt", {.files = &files});
      copy_all(back, again);
      EXPECT_TRUE(files.content("p.ckpt") == plain) << cipher << key.size();
    }
  }
}

TEST(CheckpointWriter, CutsEncryptedFilesIntoBlocksOf64MiB) {
  const Tensor tensor = numbers(20'000'000);  // 80 MB
  for (const std::string cipher : {"AES-GCM", "AES-CBC"}) {
    MemoryFileSystem files;
    CheckpointWriter writer("e.ckpt",
                            {.key = std::string(16, 'k'), .cipher = cipher, .files = &files});
    writer.add("w", tensor);
    writer.finish();
    const Checkpoint back =
        open_checkpoint("e.ckpt", {.key = std::string(16, 'k'), .files = &files});
    const Tensor loaded = load_tensors(back, targets_of(back.catalog))[0];
    EXPECT_TRUE(std::ranges::equal(loaded.data<float>(), tensor.data<float>())) << cipher;
  }
}

TEST(CheckpointWriter, RefusesWhatTheFormatCannotHold) {
  MemoryFileSystem files;
  const auto saving = [&](const char* path, WriteOptions options, auto add) {
    options.files = &files;
    return error_of([&] {
      CheckpointWriter writer(path, options);
      add(writer);
      writer.finish();
    });
  };
  const auto normal = [](CheckpointWriter& writer) { writer.add("w", numbers(3)); };
  const auto contains = [](const std::string& error, std::string_view part) {
    EXPECT_NE(error.find(part), std::string::npos) << error;
  };
  contains(saving("a.ckpt", {.key = std::string(16, 'k'), .crc = true}, normal),
           "a CRC and encryption do not go together");
  contains(saving("a.ckpt", {.key = "short"}, normal), "a key of 5 bytes is given");
  contains(saving("a.ckpt", {.key = std::string(24, 'k'), .cipher = "SM4-CBC"}, normal),
           "SM4-CBC takes 16");
  contains(saving("a.ckpt", {.key = std::string(16, 'k'), .cipher = "AES-XTS"}, normal),
           "there is no cipher 'AES-XTS'");
  contains(saving("a.safetensors", {.key = std::string(16, 'k')}, normal), "cannot be encrypted");
  contains(saving("a.ckpt", {},
                  [](auto& w) {
                    w.add("w", Tensor(DType::kF32, {2, 0}));
                  }),
           "has no elements");
  contains(saving("a.ckpt", {}, [](auto&) {}), "nothing to save");
  contains(saving("a.ckpt", {}, [](auto& w) { w.add("", numbers(1)); }), "without a name");
  contains(saving("a.ckpt", {}, [](auto& w) { w.add("\xff", numbers(1)); }), "is not UTF-8");
  contains(saving("a.ckpt", {}, [](auto& w) { w.add("w", numbers(1)), w.add("w", numbers(1)); }),
           "two tensors are called 'w'");
  contains(saving("a.safetensors", {}, [](auto& w) { w.add_text("s", "text"); }),
           "safetensors holds tensors only");
  contains(saving("a.bin", {}, normal), "has the suffix '.bin'");
  EXPECT_TRUE(files.list("").empty());
}

TEST(CheckpointWriter, SafetensorsHoldsEmptyTensorsAndScalars) {
  MemoryFileSystem files;
  CheckpointWriter writer("a.safetensors", {.crc = true, .files = &files});
  writer.add("empty", Tensor(DType::kF16, {2, 0}));
  writer.add("epoch", int64_t{7});
  writer.add("rate", 0.5);
  writer.add("flag", true);
  writer.finish();
  const Checkpoint back =
      open_checkpoint("a.safetensors", {.crc = CrcCheck::kRequired, .files = &files});
  EXPECT_EQ(describe(*back.catalog.find("empty")), "f16[2,0]");
  EXPECT_EQ(to_string(load_record(back, *back.catalog.find("epoch"))), "i64[] {7}");
  EXPECT_EQ(to_string(load_record(back, *back.catalog.find("rate"))), "f32[] {0.5}");
  EXPECT_EQ(load_tensors(back, targets_of(back.catalog)).size(), 4U);
}

TEST(CheckpointWriter, AFullDiskAtAnyByteLeavesTheOldFile) {
  for (uint64_t space = 0; space < 60; ++space) {
    MemoryFileSystem memory;
    memory.put("dir/a.ckpt", "the old file");
    FaultyFileSystem files(memory, {.space = space});
    const std::string error = error_of([&] {
      CheckpointWriter writer("dir/a.ckpt", {.files = &files});
      writer.add("fc.bias", numbers(9));
      writer.finish();
    });
    EXPECT_NE(error.find("no space left"), std::string::npos) << space << error;
    EXPECT_EQ(memory.content("dir/a.ckpt"), "the old file");
    EXPECT_EQ(memory.list("dir").size(), 1U) << "nothing half-written stays";
  }
}

TEST(CheckpointWriter, FailingWritesSyncsAndRenamesLeaveTheOldFile) {
  const Faults kFaults[] = {
      {.failing_write = 0}, {.failing_write = 1}, {.fail_sync = true}, {.crash_at_rename = true}};
  for (const Faults& faults : kFaults) {
    MemoryFileSystem memory;
    memory.put("dir/a.ckpt", "the old file");
    FaultyFileSystem files(memory, faults);
    EXPECT_NE(error_of([&] {
                CheckpointWriter writer("dir/a.ckpt", {.files = &files});
                writer.add("fc.bias", numbers(9));
                writer.finish();
              }),
              "");
    EXPECT_EQ(memory.content("dir/a.ckpt"), "the old file");
    // A machine that stops cannot tidy up; everything else does.
    EXPECT_EQ(memory.list("dir").size(), faults.crash_at_rename ? 2U : 1U);
  }
}

TEST(CheckpointWriter, AProcessThatIsKilledWhileSavingLeavesTheOldFileOrTheNewOne) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("tessera_kill_" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const std::filesystem::path path = folder / "a.ckpt";
  const auto save = [&](float value) {
    Tensor tensor(DType::kF32, {1 << 18});
    for (float& element : tensor.mutable_data<float>()) element = value;
    CheckpointWriter writer(path);
    writer.add("w", tensor);
    writer.finish();
  };
  save(0);
  for (int round = 0; round < 12; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      while (true) save(1);
    }
    ::usleep(static_cast<useconds_t>(1000 + 1700 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const Checkpoint checkpoint = open_checkpoint(path);
    const Tensor tensor = load_tensors(checkpoint, targets_of(checkpoint.catalog))[0];
    const float first = tensor.data<float>()[0];
    EXPECT_TRUE(first == 0 || first == 1);
    for (const float value : tensor.data<float>()) ASSERT_EQ(value, first);
  }
  std::filesystem::remove_all(folder);
}

TEST(CheckpointWriter, SavingOntoAFolderOrIntoNoFolderIsRefused) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path();
  EXPECT_THROW(
      {
        std::filesystem::create_directory(folder / "tessera_folder.ckpt");
        CheckpointWriter writer(folder / "tessera_folder.ckpt");
        writer.add("w", numbers(1));
        writer.finish();
      },
      Error);
  std::filesystem::remove(folder / "tessera_folder.ckpt");
  CheckpointWriter writer(folder / "tessera_absent_folder" / "a.ckpt");
  writer.add("w", numbers(1));
  EXPECT_THROW(writer.finish(), Error);
}

}  // namespace
}  // namespace tessera
