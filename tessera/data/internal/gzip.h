// Content of a file that may be packed with gzip.
#pragma once

#include <filesystem>
#include <memory>

#include "tessera/io/file.h"

namespace tessera::internal {

/// A file's content from its start, unpacked when it begins as gzip does. Nothing is allocated for
/// a length that the file only claims.
class ContentReader {
 public:
  explicit ContentReader(const std::filesystem::path& path);
  ~ContentReader();
  ContentReader(const ContentReader&) = delete;
  ContentReader& operator=(const ContentReader&) = delete;

  /// The most bytes that the content can have (exact where the file is not packed).
  uint64_t size_limit() const;
  bool is_packed() const;
  /// Fills `out` with the next bytes. Throws kCorruptData when there are fewer.
  void read(std::span<std::byte> out);
  /// Fills `out` as far as the content goes and returns how many bytes that are.
  size_t read_some(std::span<std::byte> out);
  /// Requires that nothing is left and, where packed, that the checksum is right.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tessera::internal
