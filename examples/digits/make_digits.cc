// Writes the digits of tessera/data/digits.h as IDX files under MNIST's names, for programs that
// know no other way to read them: DIR/train with 12,000 images and DIR/test with 3,000.
#include <fmt/core.h>

#include <array>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <vector>

#include "tessera/data/digits.h"
#include "tessera/io/file.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

/// The header of an IDX file of unsigned bytes.
std::vector<std::byte> idx_header(std::initializer_list<int64_t> extents) {
  std::vector<std::byte> header{std::byte{0}, std::byte{0}, std::byte{8},
                                static_cast<std::byte>(extents.size())};
  for (const int64_t extent : extents)
    for (const int shift : {24, 16, 8, 0})
      header.push_back(static_cast<std::byte>(extent >> shift));
  return header;
}

void write(const fs::path& path, const std::vector<std::byte>& content) {
  AtomicFile file(local_file_system(), path);
  file.file().append(content);
  file.commit();
}

void write_set(const fs::path& folder, std::string_view prefix, const DigitSet& set) {
  fs::create_directories(folder);
  std::vector<std::byte> images = idx_header({set.rows, kDigitSide, kDigitSide});
  std::vector<std::byte> labels = idx_header({set.rows});
  std::array<uint8_t, kDigitPixels> pixels{};
  for (int64_t i = 0; i < set.rows; ++i) {
    labels.push_back(
        static_cast<std::byte>(draw_digit(set.seed, static_cast<uint64_t>(i), pixels)));
    for (const uint8_t pixel : pixels) images.push_back(static_cast<std::byte>(pixel));
  }
  write(folder / fmt::format("{}-images-idx3-ubyte", prefix), images);
  write(folder / fmt::format("{}-labels-idx1-ubyte", prefix), labels);
}

}  // namespace
}  // namespace tessera

int main(int argc, char** argv) {
  if (argc != 2 || argv[1][0] == '-') {
    std::fputs("usage: make_digits DIR\nwrites DIR/train and DIR/test: digits as IDX files\n",
               stderr);
    return 2;
  }
  try {
    const std::filesystem::path folder = argv[1];
    tessera::write_set(folder / "train", "train", tessera::kDigitTrainSet);
    tessera::write_set(folder / "test", "t10k", tessera::kDigitTestSet);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_digits: %s\n", error.what());
    return 1;
  }
}
