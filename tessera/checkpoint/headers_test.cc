#include "tessera/checkpoint/headers.h"

#include <gtest/gtest.h>

#include <random>

#include "tessera/base/error.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/checkpoint/writer.h"
#include "tessera/io/memory_file_system.h"

namespace tessera {
namespace {

class Headers : public ::testing::Test {
 protected:
  Headers() { options_.files = &files_; }

  Checkpoint write(const std::string& path, const std::string& text = "a sentence") {
    WriteOptions options;
    options.files = &files_;
    CheckpointWriter writer(path, options);
    writer.add("fc.weight", Tensor::of(std::span<const float>(values_), {2, 3}));
    writer.add("scale", Tensor::scalar(int64_t{7}));
    if (path.ends_with(".ckpt")) writer.add_text("note", text);
    if (!path.ends_with(".ckpt")) writer.add("empty", Tensor(DType::kBF16, {0, 4}));
    writer.finish();
    return open_checkpoint(path, options_);
  }

  MemoryFileSystem files_;
  OpenOptions options_;
  std::vector<float> values_{1, 2, 3, 4, 5, 6};
};

TEST_F(Headers, ComeBackAsTheyWereWithoutTheContents) {
  for (const char* path : {"a.ckpt", "a.safetensors"}) {
    const Checkpoint opened = write(path);
    const Checkpoint headers = decode_headers(encode_headers(opened), "elsewhere/b");
    EXPECT_EQ(headers.catalog.records, opened.catalog.records);
    EXPECT_EQ(headers.catalog.metadata, opened.catalog.metadata);
    EXPECT_EQ(headers.catalog.names(), opened.catalog.names());
    EXPECT_EQ(headers.catalog.files[0].path, "elsewhere/b");
    EXPECT_EQ(headers.catalog.files[0].format, opened.catalog.files[0].format);
    EXPECT_EQ(headers.bytes->file(0).size(), opened.bytes->file(0).size());
    EXPECT_EQ(digest_headers(headers), digest_headers(opened));
    if (const Record* note = headers.catalog.find("note")) {
      EXPECT_EQ(read_string(headers, *note), "a sentence");
    }
    try {
      load_record(headers, *headers.catalog.find("fc.weight"));
      FAIL() << "nobody has the bytes";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kNotFound);
      EXPECT_NE(std::string(error.what()).find("another rank"), std::string::npos);
    }
  }
}

TEST_F(Headers, HaveEqualDigestsForEqualContentWhereverItLies) {
  const Digest digest = digest_headers(write("a.ckpt"));
  EXPECT_EQ(digest_headers(write("folder/b.ckpt")), digest);
  EXPECT_NE(digest_headers(write("c.ckpt", "b sentence")), digest);
}

TEST_F(Headers, AreCheckedLikeAFile) {
  std::mt19937 random(1);
  for (const char* path : {"a.ckpt", "a.safetensors"}) {
    const std::string good = encode_headers(write(path));
    for (size_t size = 0; size < good.size(); ++size)
      EXPECT_THROW(decode_headers(good.substr(0, size), "b"), Error) << size;
    EXPECT_THROW(decode_headers(good + '\0', "b"), Error);
    int refused = 0;
    for (int i = 0; i < 20000; ++i) {
      std::string bad = good;
      for (int k = static_cast<int>(random() % 3); k >= 0; --k)
        bad[random() % bad.size()] = static_cast<char>(random());
      try {
        const Checkpoint headers = decode_headers(bad, "b");
        for (const Record& record : headers.catalog.records) {
          byte_count(record);
          for (const Piece& piece : record.pieces)
            EXPECT_LE(piece.bytes.end(), headers.bytes->file(piece.file).size());
        }
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kCorruptData) << error.what();
        ++refused;
      }
    }
    EXPECT_GT(refused, 5000);
  }
}

}  // namespace
}  // namespace tessera
