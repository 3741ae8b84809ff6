// The folder that a result is written to. A file "tessera.incomplete" is there, and locked, while
// the files are made; "tessera.json" comes last and says that all of them are there. After a run
// that was killed the first one is left: the next run removes what that one made and starts over.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tessera/checkpoint/strategy.h"
#include "tessera/io/file.h"
#include "tessera/io/file_lock.h"

namespace tessera {

class DestinationFolder {
 public:
  struct Options {
    bool force = false;  // an existing result is replaced
    bool sync = true;    // fsync of what is written
  };

  static constexpr std::string_view kMarker = "tessera.incomplete";
  static constexpr std::string_view kManifest = "tessera.json";

  /// Creates or takes over `root` for `files`, paths inside it. Throws kInvalidArgument when it is
  /// not empty (without force), when another process writes there, or when a checkpoint of a rank
  /// that is not among `files` lies in it; then nothing was changed.
  DestinationFolder(FileSystem& file_system, std::filesystem::path root,
                    std::vector<std::filesystem::path> files, Options options);
  /// Removes what is not committed.
  ~DestinationFolder();
  DestinationFolder(const DestinationFolder&) = delete;
  DestinationFolder& operator=(const DestinationFolder&) = delete;

  const std::filesystem::path& root() const { return root_; }
  /// Call before the first file appears under its name: an old manifest no longer holds.
  void begin_commit();
  /// Writes the manifest and takes the marker away. Every file must be there.
  void commit(std::string_view manifest);

 private:
  void check_contents(bool force) const;
  /// Writes the marker's list and creates the folders of the files.
  void begin();
  /// Takes away the marker and the folders that are empty.
  void give_up() noexcept;
  void remove_dead_run(std::string_view list);
  void remove_files(std::span<const std::string> files, bool only_temporary = false);
  void remove_empty_folders();

  FileSystem& file_system_;
  std::filesystem::path root_;
  std::vector<std::filesystem::path> files_;
  std::vector<std::string> old_files_;  // of the manifest that is replaced
  Options options_;
  bool made_root_ = false;
  bool began_commit_ = false;
  bool is_committed_ = false;
  std::optional<FileLock> lock_;  // none on file systems that are not this machine's
};

/// How the checkpoint in `folder` is cut, as the manifest there says it; nothing where there is no
/// manifest or it says nothing. Throws kCorruptData.
std::optional<Strategy> strategy_in(const FileSystem& file_system,
                                    const std::filesystem::path& folder);

/// The digests of whole tensors by name that the manifest in `folder` records, as text; none where
/// there is no manifest or the result was not verified when it was made.
std::map<std::string, std::string> digests_in(const FileSystem& file_system,
                                              const std::filesystem::path& folder);

}  // namespace tessera
