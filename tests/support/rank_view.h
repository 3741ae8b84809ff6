// What one rank of a job sees of a file system that many share: some of the files, and it counts
// what it reads.
#pragma once

#include <set>
#include <string>

#include "tessera/io/faulty_file_system.h"

namespace tessera::testing {

class RankView : public FaultyFileSystem {
 public:
  explicit RankView(FileSystem& all, Faults faults = {}) : FaultyFileSystem(all, faults) {}

  /// The path, and what lies below it, is not there for this rank.
  void hide(const std::string& path) { hidden_.insert(path); }

  bool exists(const std::filesystem::path& path) const override {
    return !is_hidden(path) && FaultyFileSystem::exists(path);
  }
  bool is_folder(const std::filesystem::path& path) const override {
    return !is_hidden(path) && FaultyFileSystem::is_folder(path);
  }
  std::unique_ptr<RandomAccessFile> open(const std::filesystem::path& path) const override {
    if (is_hidden(path)) fail(ErrorCode::kNotFound, "{} is not there", path.string());
    return FaultyFileSystem::open(path);
  }

 private:
  bool is_hidden(const std::filesystem::path& path) const {
    for (std::filesystem::path at = path; !at.empty(); at = at.parent_path())
      if (hidden_.contains(at.string())) return true;
    return false;
  }

  std::set<std::string> hidden_;
};

}  // namespace tessera::testing
