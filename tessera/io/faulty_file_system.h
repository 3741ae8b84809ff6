// A file system that goes wrong at a chosen moment: the tests of every reader and writer run on it.
//
//   FaultyFileSystem files(local_file_system(), {.space = 1000});   // the disk is full after 1000
//   B
#pragma once

#include <atomic>
#include <limits>

#include "tessera/io/file.h"

namespace tessera {

struct Faults {
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  uint64_t failing_read = kNever;   // the read with this number (from 0) throws kIo
  uint64_t visible_size = kNever;   // files end here although they say their full size
  uint64_t space = kNever;          // bytes that can be written before the disk is full
  uint64_t failing_write = kNever;  // the write with this number throws kIo
  bool fail_sync = false;           // sync throws kIo
  bool crash_at_rename = false;     // the machine stops at a rename: nothing happens from then on
};

/// Counts what passes through, too. Thread-safe for reads. `inner` must outlive it.
class FaultyFileSystem : public FileSystem {
 public:
  struct State {
    Faults faults;
    std::atomic<uint64_t> reads{0};
    std::atomic<uint64_t> bytes_read{0};
    std::atomic<uint64_t> largest_read{0};
    std::atomic<uint64_t> writes{0};
    std::atomic<uint64_t> bytes_written{0};
    std::atomic<bool> crashed{false};
  };

  explicit FaultyFileSystem(FileSystem& inner) : FaultyFileSystem(inner, Faults{}) {}
  FaultyFileSystem(FileSystem& inner, Faults faults);

  const State& state() const { return *state_; }

  std::unique_ptr<RandomAccessFile> open(const std::filesystem::path& path) const override;
  std::unique_ptr<WritableFile> create(const std::filesystem::path& path) override;
  void rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  void remove(const std::filesystem::path& path) override;
  std::filesystem::path destination(const std::filesystem::path& path) const override;
  void create_folders(const std::filesystem::path& folder) override;
  bool remove_empty_folder(const std::filesystem::path& folder) override;
  void sync_folder(const std::filesystem::path& folder) override;
  bool exists(const std::filesystem::path& path) const override;
  bool is_folder(const std::filesystem::path& path) const override;
  std::vector<std::string> list(const std::filesystem::path& folder) const override;

 private:
  FileSystem& inner_;
  std::shared_ptr<State> state_;
};

}  // namespace tessera
