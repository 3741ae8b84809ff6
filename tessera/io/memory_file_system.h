// Files in memory, for tests and for content that never reaches a disk. Paths are taken as text;
// a folder exists when some file lies in it.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "tessera/io/file.h"

namespace tessera {

/// Thread-safe; open files keep the content they were opened with.
class MemoryFileSystem : public FileSystem {
 public:
  /// Creates or replaces a file.
  void put(const std::filesystem::path& path, std::string content);
  /// The content; throws kNotFound.
  std::string content(const std::filesystem::path& path) const;

  std::unique_ptr<RandomAccessFile> open(const std::filesystem::path& path) const override;
  std::unique_ptr<WritableFile> create(const std::filesystem::path& path) override;
  void rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  void remove(const std::filesystem::path& path) override;
  void create_folders(const std::filesystem::path& folder) override;
  bool remove_empty_folder(const std::filesystem::path& folder) override;
  void sync_folder(const std::filesystem::path& folder) override;
  bool exists(const std::filesystem::path& path) const override;
  bool is_folder(const std::filesystem::path& path) const override;
  std::vector<std::string> list(const std::filesystem::path& folder) const override;

 private:
  using Content = std::shared_ptr<std::string>;
  Content find(const std::filesystem::path& path) const;

  mutable std::mutex mutex_;
  std::map<std::string, Content> files_;
};

/// A file whose bytes are `content`, called `name` in messages.
std::unique_ptr<RandomAccessFile> memory_file(std::string content, std::string name);

}  // namespace tessera
