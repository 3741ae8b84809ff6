// A file that one process at a time holds locked. The system lets go of it when the process ends,
// however it ends.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace tessera {

class FileLock {
 public:
  /// Creates the file where it is not there and locks it, or returns nothing when another process
  /// (or another FileLock of this one) holds it. Throws kIo.
  static std::optional<FileLock> try_lock(const std::filesystem::path& path);

  /// The file's content, at most `limit` bytes of it.
  std::string read(size_t limit) const;
  /// Replaces the content, in place: the lock is on this very file.
  void write(std::string_view text);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace tessera
