// Files behind an interface small enough to fake: sized reads at any offset from many threads,
// sequential writes, atomic replacement. Real, in-memory and faulty file systems implement it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tessera/io/temporary_files.h"

namespace tessera {

/// A range of bytes of a file.
struct ByteRange {
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t end() const { return offset + size; }
  bool operator==(const ByteRange&) const = default;
};

/// A file (or decrypted content of one) open for reading. Thread-safe.
class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;
  /// Fills `out` from `offset` on. Throws kIo when the system refuses, kCorruptData when the file
  /// ends before (it was cut since it was opened).
  virtual void read(uint64_t offset, std::span<std::byte> out) const = 0;
  /// Fills `parts` one after the other with the bytes from `offset` on: one call of the system
  /// where it can, so that bytes reach memory that is not contiguous without a copy.
  virtual void read_scattered(uint64_t offset, std::span<const std::span<std::byte>> parts) const;
  virtual uint64_t size() const = 0;
  /// How messages call it: its path.
  virtual const std::string& name() const = 0;
  /// The whole content as memory that stays while the result lives, or an empty span and null when
  /// this file cannot be mapped. A mapped file that is cut by somebody else kills the process.
  struct Mapping {
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
  };
  virtual Mapping map() const { return {}; }
};

/// A file open for writing from its start. Not thread-safe, except write_at of disjoint ranges.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual void append(std::span<const std::byte> bytes) = 0;
  /// Writes at an offset, growing the file as needed; does not move the point of append.
  virtual void write_at(uint64_t offset, std::span<const std::byte> bytes) = 0;
  /// Writes `parts` one after the other from `offset` on: one call of the system where it can.
  virtual void write_gathered(uint64_t offset, std::span<const std::span<const std::byte>> parts);
  /// Makes what was written survive a loss of power.
  virtual void sync() = 0;
  /// Closes and reports the errors that closing finds. The destructor closes silently.
  virtual void close() = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  /// Opens a regular file. Throws kNotFound when it is not there, kInvalidArgument when it is a
  /// folder, socket, pipe or device, kIo when it cannot be read.
  virtual std::unique_ptr<RandomAccessFile> open(const std::filesystem::path& path) const = 0;
  /// Creates `path`, which must not exist.
  virtual std::unique_ptr<WritableFile> create(const std::filesystem::path& path) = 0;
  virtual void rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  virtual void remove(const std::filesystem::path& path) = 0;
  /// The file that saving under `path` replaces or creates: `path`, or what it leads to where it is
  /// a symbolic link. Throws kInvalidArgument for a folder, pipe, socket or device.
  virtual std::filesystem::path destination(const std::filesystem::path& path) const;
  /// Creates `folder` and those above it, where they are not there yet.
  virtual void create_folders(const std::filesystem::path& folder) = 0;
  /// Removes `folder` when it is empty; says whether it did.
  virtual bool remove_empty_folder(const std::filesystem::path& folder) = 0;
  /// Makes renames and creations in `folder` survive a loss of power.
  virtual void sync_folder(const std::filesystem::path& folder) = 0;
  virtual bool exists(const std::filesystem::path& path) const = 0;
  virtual bool is_folder(const std::filesystem::path& path) const = 0;
  /// The names in a folder, sorted.
  virtual std::vector<std::string> list(const std::filesystem::path& folder) const = 0;
};

/// The file system of this machine. Thread-safe; lives for ever.
FileSystem& local_file_system();

/// A file that appears under its name only when it is complete. Bytes go to a sibling
/// "<name>.<pid>-<count>.tmp"; commit() syncs it, renames it over `path` and syncs the folder.
/// Destruction without commit removes the temporary file and leaves `path` as it was. Where `path`
/// is a symbolic link, the link stays and the file it leads to is replaced.
class AtomicFile {
 public:
  struct Options {
    bool sync = true;  // false: no fsync; a crash of the machine may then lose the file
  };
  AtomicFile(FileSystem& files, const std::filesystem::path& path, Options options);
  AtomicFile(FileSystem& files, const std::filesystem::path& path)
      : AtomicFile(files, path, Options()) {}
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  WritableFile& file() { return *file_; }
  /// Where the bytes are until commit().
  const std::filesystem::path& temporary() const { return temporary_; }
  void commit();

 private:
  FileSystem& files_;
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  Options options_;
  std::optional<internal::TemporaryName> name_;
  std::unique_ptr<WritableFile> file_;
};

/// The whole content. Throws kInvalidArgument when the file is larger than `limit`.
std::string read_text(const std::filesystem::path& path, uint64_t limit = uint64_t{64} << 20);
std::string read_text(const FileSystem& files, const std::filesystem::path& path,
                      uint64_t limit = uint64_t{64} << 20);
/// Puts `text` under the name at once, as AtomicFile does.
void write_text(FileSystem& files, const std::filesystem::path& path, std::string_view text,
                AtomicFile::Options options);

}  // namespace tessera
