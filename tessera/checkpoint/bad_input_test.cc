// Files that are damaged, hostile or no files at all: one clear error each, in bounded time and
// memory. Damage that cannot be seen must open as what it is.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/checkpoint/writer.h"
#include "tessera/io/faulty_file_system.h"
#include "tessera/io/memory_file_system.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

std::string varint(uint64_t value) {
  std::string text;
  for (; value >= 0x80; value >>= 7) text += static_cast<char>(value | 0x80);
  return text + static_cast<char>(value);
}

std::string field(int number, const std::string& content) {
  return varint(static_cast<uint64_t>(number) << 3 | 2) + varint(content.size()) + content;
}

std::string dims(std::initializer_list<int64_t> extents) {
  std::string text;
  for (const int64_t extent : extents) text += '\x08' + varint(static_cast<uint64_t>(extent));
  return text;
}

std::string entry(const std::string& name, const std::string& dims_text, const std::string& type,
                  const std::string& content) {
  return field(1, field(1, name) + field(2, dims_text + field(2, type) + field(3, content)));
}

/// Opens and loads `content`; the message of the Error, or "" when it loads.
std::string error_of(const std::string& content, const std::string& suffix = ".ckpt",
                     OpenOptions options = {}) {
  MemoryFileSystem files;
  files.put("a" + suffix, content);
  options.files = &files;
  try {
    const Checkpoint checkpoint = open_checkpoint("a" + suffix, options);
    load_tensors(checkpoint, targets_of(checkpoint.catalog));
    for (const Record& record : checkpoint.catalog.records)
      if (record.kind == RecordKind::kString) read_string(checkpoint, record);
    return "";
  } catch (const Error& error) {
    EXPECT_NE(error.code(), ErrorCode::kInternal) << error.what();
    EXPECT_NE(std::string(error.what()).find("a" + suffix), std::string::npos)
        << "the file is named: " << error.what();
    return error.what();
  }
}

void expect_error(const std::string& content, std::string_view part,
                  const std::string& suffix = ".ckpt") {
  const std::string error = error_of(content, suffix);
  EXPECT_NE(error.find(part), std::string::npos) << "found: " << error << "\nwanted: " << part;
}

std::string saved(const std::string& suffix, WriteOptions options = {}) {
  MemoryFileSystem files;
  options.files = &files;
  CheckpointWriter writer("a" + suffix, options);
  const float values[] = {1, 2, 3, 4, 5, 6};
  writer.add("fc.weight", Tensor::of<float>(values, {2, 3}));
  writer.add("fc.bias", Tensor::of<float>(std::span(values).first(2), {2}));
  writer.add("epoch", int64_t{3});
  if (suffix == ".ckpt") writer.add_text("note", "text");
  writer.finish();
  return files.content("a" + suffix);
}

TEST(BadInput, ACkptThatIsCutAnywhereIsRefusedExceptBetweenEntries) {
  const std::string whole = saved(".ckpt");
  size_t opened = 0;
  for (size_t size = 0; size < whole.size(); ++size)
    opened += error_of(whole.substr(0, size)) == "";
  EXPECT_EQ(opened, 3U);  // after each of the first three entries
  const std::string with_crc = saved(".ckpt", {.crc = true});
  for (size_t size = 0; size < with_crc.size(); ++size)
    EXPECT_NE(error_of(with_crc.substr(0, size), ".ckpt", {.crc = CrcCheck::kRequired}), "")
        << size;
}

TEST(BadInput, ASafetensorsFileThatIsCutOrGrownAnywhereIsRefused) {
  const std::string whole = saved(".safetensors");
  EXPECT_EQ(error_of(whole, ".safetensors"), "");
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(error_of(whole.substr(0, size), ".safetensors"), "") << size;
  EXPECT_NE(error_of(whole + "x", ".safetensors"), "");
}

TEST(BadInput, EncryptedFilesThatAreCutAnywhereAreRefused) {
  for (const std::string cipher : {"AES-GCM", "AES-CBC", "SM4-CBC"}) {
    const OpenOptions open{.key = std::string(16, 'k')};
    const std::string whole = saved(".ckpt", {.key = open.key, .cipher = cipher});
    EXPECT_EQ(error_of(whole, ".ckpt", open), "");
    for (size_t size = 0; size < whole.size(); ++size)
      EXPECT_NE(error_of(whole.substr(0, size), ".ckpt", open), "") << cipher << size;
  }
}

TEST(BadInput, EverySingleBitFlipIsRefusedOrLoadsAsWhatItIs) {
  for (const std::string suffix : {".ckpt", ".safetensors"}) {
    const std::string whole = saved(suffix);
    for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
      std::string flipped = whole;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
      error_of(flipped, suffix);  // must not crash, hang or report an internal error
    }
  }
}

TEST(BadInput, EverySingleBitFlipIsFoundByTheChecksum) {
  const std::string whole = saved(".ckpt", {.crc = true});
  ASSERT_EQ(error_of(whole, ".ckpt", {.crc = CrcCheck::kRequired}), "");
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    EXPECT_NE(error_of(flipped, ".ckpt", {.crc = CrcCheck::kRequired}), "") << bit;
  }
}

TEST(BadInput, EverySingleBitFlipIsFoundByAesGcm) {
  const OpenOptions open{.key = std::string(16, 'k')};
  const std::string whole = saved(".ckpt", {.key = open.key});
  size_t loaded = 0;
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    loaded += error_of(flipped, ".ckpt", open) == "";
  }
  EXPECT_EQ(loaded, 32U) << "only the last 4 bytes of the IV, which AES-GCM does not use";
}

TEST(BadInput, LengthsBeyondTheFileAreRefusedBeforeAnythingIsAllocated) {
  const std::string good = entry("w", dims({1}), "Float32", "abcd");
  for (const uint64_t size :
       {uint64_t{100}, (uint64_t{1} << 31) - 1, uint64_t{1} << 31, (uint64_t{1} << 32) - 1,
        uint64_t{1} << 62, (uint64_t{1} << 63) - 1, uint64_t{1} << 63, ~uint64_t{0}}) {
    expect_error(good + "\x0A" + varint(size), "but its message has 0 left");
    expect_error(good + field(1, "\x0A" + varint(size)), "but its message has 0 left");
    expect_error(good + field(1, field(1, "v") + field(2, "\x1A" + varint(size))),
                 "but its message has 0 left");
  }
}

TEST(BadInput, DimsThatOverflowOrAreNegativeAreRefused) {
  expect_error(entry("w", dims({int64_t{1} << 40, int64_t{1} << 40}), "Float32", "abcd"),
               "more bytes than 2^63");
  expect_error(entry("w", dims({0, int64_t{1} << 62, 4}), "Float32", ""), "more bytes than 2^63");
  expect_error(entry("w", dims({-1, 4}), "Float32", "abcd"), "-1 is negative");
  expect_error(entry("w", dims({int64_t{1} << 61}), "Float32", "abcd"), "more bytes than 2^63");
  expect_error(entry("w", dims({int64_t{1} << 59}), "Float32", "abcd"), "has 4 bytes of content");
  EXPECT_NE(error_of(entry("w", dims({int64_t{1} << 40}), "Float32", "abcd"), ".ckpt",
                     {.allow = {"short_content"}})
                .find("too few to fill the rest with zeros"),
            std::string::npos);
  std::string many;
  for (int i = 0; i < 65; ++i) many += dims({1});
  expect_error(entry("w", many, "Float32", "abcd"), "more than 64 dims");
}

TEST(BadInput, NamesAndTypesThatAreNoneAreRefused) {
  expect_error(entry("\xFF\xFE", dims({1}), "Float32", "abcd"), "'\\xff\\xfe'");
  expect_error(entry(std::string(3000, 'n'), dims({1}), "Float32", "abcd"), "more than 2048");
  expect_error(entry("w", dims({1}), "Float33", "abcd"), "unknown type 'Float33'");
  expect_error(entry("w", dims({1}), std::string(100, 'F'), "abcd"), "more than 64");
  expect_error(entry("w", dims({1}), "Float32", "abcd") + entry("v", dims({1}), "Int8", "a") +
                   entry("w", dims({1}), "Float32", "abcd"),
               "'w' occurs again at byte");
  expect_error(entry("s", dims({0}), "str", "abc"), "not 4 for each character");
  expect_error(entry("s", dims({0}), "str", std::string("\x00\x00\x11\x00", 4)),
               "which is no character");
  expect_error(field(1, field(1, "w")), "holds no tensor");
  expect_error(field(1, field(2, field(2, "Int8") + field(3, "a"))), "has no name");
  expect_error(field(1, field(1, "w") + field(1, "v") + field(2, "")), "a second name");
  expect_error(field(1, field(1, "t") + field(3, field(1, ""))), "does not say its type");
}

TEST(BadInput, AContentThatEndsInsideAnElementIsRefused) {
  const auto part = [](const char* bytes) { return entry("w", dims({2}), "Float32", bytes); };
  EXPECT_EQ(error_of(part("abcd") + part("efgh")), "");
  expect_error(part("abc") + part("defgh"), "ends inside an element of 4 bytes");
}

/// The bytes that are allocated, 0 where the memory is not glibc's own (under a sanitizer).
size_t heap_bytes() {
  const auto all = ::mallinfo2();
  return all.uordblks + all.hblkhd;
}

TEST(BadInput, AMillionTinyEntriesTakeBoundedMemoryAndTime) {
  std::string content;
  for (int i = 0; i < 1'000'000; ++i)
    content += entry("p" + std::to_string(i), dims({1}), "Float32", "abcd");
  const auto begin = std::chrono::steady_clock::now();
  MemoryFileSystem files;
  files.put("a.ckpt", content);
  const size_t before = heap_bytes();
  const Checkpoint checkpoint = open_checkpoint("a.ckpt", {.files = &files});
  EXPECT_EQ(checkpoint.catalog.records.size(), 1'000'000U);
  EXPECT_NE(checkpoint.catalog.find("p999999"), nullptr);
  if (before > 0) {
    EXPECT_LT(heap_bytes() - before, 8 * content.size());
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_LT(seconds, 60);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, 2'000'000) << "KiB";
}

TEST(BadInput, AMillionEmptyEntriesAreRefusedAtTheFirst) {
  std::string content;
  for (int i = 0; i < 1'000'000; ++i) content += std::string("\x0A\x00", 2);
  expect_error(content, "");
  EXPECT_NE(error_of(content), "");
}

TEST(BadInput, AnEntryCostsAtMost4KiBOfReadingAndNoContent) {
  // Entries whose contents are holes of a sparse file: 100 GB with 10,000 tensors.
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("tessera_sparse_" + std::to_string(::getpid()));
  const uint64_t content_bytes = 10'000'000;
  {
    std::ofstream file(path, std::ios::binary);
    for (int i = 0; i < 10'000; ++i) {
      const std::string type = field(2, "Float32");
      const std::string tensor_head = dims({2'500'000}) + type + "\x1A" + varint(content_bytes);
      const std::string name = field(1, "layer" + std::to_string(i) + ".weight");
      const uint64_t tensor_size = tensor_head.size() + content_bytes;
      const std::string value = name + "\x12" + varint(tensor_size);
      file << "\x0A" << varint(value.size() + tensor_size) << value << tensor_head;
      file.seekp(static_cast<std::streamoff>(content_bytes), std::ios::cur);
    }
  }
  std::filesystem::resize_file(path, std::filesystem::file_size(path) + content_bytes);
  FaultyFileSystem files(local_file_system());
  const Catalog catalog = open_catalog(path, {.files = &files});
  std::filesystem::remove(path);
  EXPECT_EQ(catalog.records.size(), 10'000U);
  EXPECT_GT(catalog.files[0].bytes, 100'000'000'000U);
  EXPECT_LE(files.state().bytes_read, 10'000U * 4096);
  EXPECT_LE(files.state().reads, 10'010U) << "one small read per entry";
  EXPECT_LE(files.state().largest_read, 4096U);
}

TEST(BadInput, ReadErrorsAndFilesThatShrinkReachTheCallerWhole) {
  MemoryFileSystem memory;
  memory.put("a.ckpt", saved(".ckpt"));
  for (uint64_t number = 0; number < 3; ++number) {
    FaultyFileSystem files(memory, {.failing_read = number});
    EXPECT_THROW(
        {
          const Checkpoint checkpoint = open_checkpoint("a.ckpt", {.files = &files});
          load_tensors(checkpoint, targets_of(checkpoint.catalog));
        },
        Error)
        << number;
  }
  for (uint64_t size = 0; size < saved(".ckpt").size(); ++size) {
    FaultyFileSystem files(memory, {.visible_size = size});
    EXPECT_THROW(open_checkpoint("a.ckpt", {.files = &files}), Error);
  }
}

TEST(BadInput, JsonThatIsDeepLargeOrStrangeIsRefused) {
  const auto file = [](const std::string& header, const std::string& data = "") {
    const uint64_t size = header.size();
    return std::string(reinterpret_cast<const char*>(&size), 8) + header + data;
  };
  const auto refused = [&](const std::string& header, std::string_view part) {
    expect_error(file(header, std::string(8, 'x')), part, ".safetensors");
  };
  refused("{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}", "nested deeper");
  refused(R"({"a":1})", "an object");
  refused(R"({"a":{"dtype":"F32","shape":[2]}})", "lacks 'data_offsets'");
  refused(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", "has 8 bytes at 0 to 8");
  refused(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", "has the extent -2");
  refused(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", "an integer");
  refused(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}})",
          "more than 2^63 bytes");
  refused(R"({"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}})", "not supported");
  refused(R"({"a":{"dtype":"f32","shape":[2],"data_offsets":[0,8]}})", "not supported");
  refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "but the file at");
  refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", "begins at byte");
  refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
          R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
          "has 'a' twice");
  refused(R"({"__metadata__":{"a":1}})", "a string");
  // The tensor is named, with the byte of its key in the file.
  refused(R"({"a":1})", "while reading 'a' at byte 9");
  refused(R"({"a":{"dtype":"F32","shape":[2]}})", "while reading 'a' at byte 9");
  refused(R"({"__metadata__":{"fc.w":"x"}, "fc.w" : {"dtype":"F32","shape":[2.0]}})",
          "while reading 'fc.w' at byte 38");
  refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,"8"]}})", "reading 'a' at byte 9");
  refused(R"({"\u0061":1})", "while reading 'a'\n");
  refused(R"({"__metadata__":{"a":1}})", "while reading the key 'a'");
  refused(R"({"__metadata__":{"a":1}})", "while reading '__metadata__' at byte 9");
  refused(R"({"a":)", "JSON that begins at byte 8");
  refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "the last tensor 'a' ends");
  refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
          R"("b":{"dtype":"U8","shape":[3],"data_offsets":[5,8]}})",
          "'b' begins at byte 119 but 'a' ends at 118");
  refused("{\"\xFF\":1}", "not valid UTF-8");
}

TEST(BadInput, AnIndexCannotLeadOutOfItsFolderNorLie) {
  MemoryFileSystem files;
  files.put("m/a.safetensors", saved(".safetensors"));
  const auto error = [&](const std::string& map) -> std::string {
    files.put("m/model.safetensors.index.json", "{\"weight_map\":{" + map + "}}");
    try {
      open_checkpoint("m", {.files = &files});
      return "";
    } catch (const Error& thrown) {
      return thrown.what();
    }
  };
  const std::string good =
      R"("fc.weight":"a.safetensors","fc.bias":"a.safetensors","epoch":"a.safetensors")";
  EXPECT_EQ(error(good), "");
  EXPECT_NE(error(good + R"(,"x":"../a.safetensors")").find("no .safetensors file name"),
            std::string::npos);
  EXPECT_NE(error(good + R"(,"x":"b.safetensors")").find("b.safetensors"), std::string::npos);
  EXPECT_NE(error(good + R"(,"x":"a.safetensors")").find("which lacks it"), std::string::npos);
  EXPECT_NE(error(R"("epoch":"a.safetensors")").find("not in the index"), std::string::npos);
}

TEST(BadInput, AFolderIsOpenedWhenItHoldsOneCheckpoint) {
  MemoryFileSystem files;
  files.put("folder/notes.txt", "text");
  files.put("folder/net.ckpt", saved(".ckpt"));
  const Checkpoint checkpoint = open_checkpoint("folder", {.files = &files});
  EXPECT_EQ(checkpoint.catalog.files[0].path, "folder/net.ckpt");
  EXPECT_EQ(checkpoint.catalog.records.size(), 4U);
  files.put("folder/other.safetensors", saved(".safetensors"));
  try {
    open_checkpoint("folder", {.files = &files});
    ADD_FAILURE() << "one of two was chosen";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("2 checkpoints, net.ckpt and other.safetensors"),
              std::string::npos)
        << error.what();
  }
}

TEST(BadInput, ACrcThatIsThereCanBeCheckedWithoutDemandingOne) {
  for (const char* suffix : {".ckpt", ".safetensors"}) {
    const OpenOptions options{.crc = CrcCheck::kIfPresent};
    EXPECT_EQ(error_of(saved(suffix), suffix, options), "");
    EXPECT_NE(error_of(saved(suffix), suffix, {.crc = CrcCheck::kRequired}), "");
    std::string with_crc = saved(suffix, {.crc = true});
    MemoryFileSystem files;
    files.put("a", with_crc);
    EXPECT_EQ(open_catalog("a", {.crc = CrcCheck::kIfPresent, .files = &files}).files[0].crc,
              CrcState::kVerified);
    const size_t at = suffix == std::string(".ckpt") ? 50 : with_crc.size() - 1;
    with_crc[at] = static_cast<char>(with_crc[at] ^ 1);
    EXPECT_NE(error_of(with_crc, suffix, options).find("changed after it was saved"),
              std::string::npos);
  }
}

TEST(BadInput, FoldersPipesAndForeignFilesSayWhatTheyAre) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("tessera_bad_" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const auto error = [&](const std::filesystem::path& path) -> std::string {
    try {
      open_checkpoint(path);
      return "";
    } catch (const Error& thrown) {
      return thrown.what();
    }
  };
  EXPECT_NE(error(folder).find("holds no .ckpt"), std::string::npos);
  ASSERT_EQ(::mkfifo((folder / "pipe.ckpt").c_str(), 0600), 0);
  EXPECT_NE(error(folder / "pipe.ckpt").find("is a pipe"), std::string::npos);
  EXPECT_NE(error(folder / "absent.ckpt").find("No such file"), std::string::npos);
  EXPECT_NE(error("/dev/zero").find("is a device"), std::string::npos);
  std::filesystem::remove_all(folder);
  expect_error("", "the file is empty");
  expect_error(
      "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n",
      "a Git LFS pointer, not the file that it stands for; fetch that with 'git lfs pull'");
  expect_error("hello, this is text", "a text file that begins with 'hello");
  expect_error(std::string("PK\x03\x04 and so on"), "zip archive");
  expect_error(std::string("\x80\x02}q\x00", 5), "Python pickle");
  expect_error("\x89HDF\r\n\x1a\n", "HDF5");
  expect_error(std::string("\x08\x01\x12\x04\x0A\x02"
                           "ab",
                           8),
               "strategy file");
  expect_error(std::string("\x0A\x05"
                           "0.1.0\x12\x09MindSpore"),
               "MindIR");
  expect_error(std::string("\x01\x02\x03\x00\xFF", 5), "");
}

TEST(BadInput, EncryptedSamplesOfBothGenerationsDecrypt) {
  const std::filesystem::path folder = testing::source_dir() / "tests/corpora/encrypted";
  const auto contents = [](const Checkpoint& checkpoint) {
    std::string text;
    const std::vector<Target> targets = targets_of(checkpoint.catalog);
    for (const Tensor& tensor : load_tensors(checkpoint, targets)) text += to_string(tensor);
    return text + read_string(checkpoint, *checkpoint.catalog.find("note"));
  };
  const std::string key = "0123456789ABCDEF0123456789ABCDEF";
  size_t count = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    const std::string name = file.path().filename().string();
    if (!name.starts_with("generation")) continue;
    const bool is_aligned = name.find("aligned") != std::string::npos;
    const std::string plain =
        contents(open_checkpoint(folder / (is_aligned ? "plain_aligned.ckpt" : "plain.ckpt")));
    EXPECT_NE(plain.find("Größe"), std::string::npos);
    const size_t bytes = name.find("256") != std::string::npos   ? 32
                         : name.find("192") != std::string::npos ? 24
                                                                 : 16;
    OpenOptions options{.key = key.substr(0, bytes)};
    const Checkpoint checkpoint = open_checkpoint(file.path(), options);
    EXPECT_EQ(contents(checkpoint), plain) << name;
    const CatalogFile& facts = checkpoint.catalog.files[0];
    EXPECT_EQ(facts.generation, name[10] - '0') << name;
    EXPECT_EQ(facts.cipher, name.find("gcm") != std::string::npos   ? "AES-GCM"
                            : name.find("sm4") != std::string::npos ? "SM4-CBC"
                                                                    : "AES-CBC")
        << name;
    // The corpora are made so that only this container has tags.
    EXPECT_EQ(is_authenticated(facts),
              name.starts_with("generation2") && name.find("gcm") != std::string::npos)
        << name;
    options.cipher = facts.cipher;
    options.generation = facts.generation;
    EXPECT_EQ(contents(open_checkpoint(file.path(), options)), plain) << name;
    options.key.back() = '!';
    EXPECT_THROW(open_checkpoint(file.path(), options), Error) << name;
    EXPECT_THROW(open_checkpoint(file.path()), Error) << name;
    ++count;
  }
  EXPECT_EQ(count, 15U);
}

}  // namespace
}  // namespace tessera
