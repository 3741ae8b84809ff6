// A file that grows over several runs of a program: what a fetch that was cut leaves behind, and
// the next one goes on with.
//
//   PartFile part("cache/abc.part");      // 4096 bytes are there already
//   part.append(bytes);
//   part.move_to("cache/abc");            // complete: under its name at once, and synced
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

namespace tessera {

/// Not thread-safe; one process at a time, see FileLock. Throws kIo.
class PartFile {
 public:
  /// Opens `path`, or creates it empty. A symbolic link there is refused.
  explicit PartFile(std::filesystem::path path);
  ~PartFile();
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  uint64_t size() const { return size_; }
  void append(std::span<const std::byte> bytes);
  void clear();
  /// Gives `visit` all bytes, in their order.
  void read(const std::function<void(std::span<const std::byte>)>& visit) const;
  /// Syncs the file, renames it over `path` and syncs the folder.
  void move_to(const std::filesystem::path& path);
  void remove();

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

}  // namespace tessera
