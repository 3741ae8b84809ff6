#include "tessera/io/faulty_file_system.h"

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {
namespace {

using State = FaultyFileSystem::State;

class FaultyFile : public RandomAccessFile {
 public:
  FaultyFile(std::unique_ptr<RandomAccessFile> inner, std::shared_ptr<State> state)
      : inner_(std::move(inner)), state_(std::move(state)) {}

  void read(uint64_t offset, std::span<std::byte> out) const override {
    const uint64_t number = state_->reads++;
    state_->bytes_read += out.size();
    uint64_t largest = state_->largest_read;
    while (out.size() > largest && !state_->largest_read.compare_exchange_weak(largest, out.size()))
      ;
    if (number == state_->faults.failing_read)
      fail(ErrorCode::kIo, "{}: reading {} bytes at byte {}: the disk has a bad sector",
           printable(name()), out.size(), offset);
    const uint64_t end = state_->faults.visible_size;
    require_valid(offset <= end && out.size() <= end - offset, "{}: the file ends at byte {}",
                  printable(name()), end);
    inner_->read(offset, out);
  }
  uint64_t size() const override { return inner_->size(); }
  const std::string& name() const override { return inner_->name(); }

 private:
  std::unique_ptr<RandomAccessFile> inner_;
  std::shared_ptr<State> state_;
};

class FaultyWritableFile : public WritableFile {
 public:
  FaultyWritableFile(std::unique_ptr<WritableFile> inner, std::shared_ptr<State> state)
      : inner_(std::move(inner)), state_(std::move(state)) {}

  void append(std::span<const std::byte> bytes) override {
    const size_t count = admit(bytes.size());
    inner_->append(bytes.first(count));
    check(count, bytes.size());
  }
  void write_at(uint64_t offset, std::span<const std::byte> bytes) override {
    const size_t count = admit(bytes.size());
    inner_->write_at(offset, bytes.first(count));
    check(count, bytes.size());
  }
  void sync() override {
    if (state_->faults.fail_sync) fail(ErrorCode::kIo, "syncing: the disk went away");
    inner_->sync();
  }
  void close() override { inner_->close(); }

 private:
  /// How many of `wanted` bytes reach the disk before it is full.
  size_t admit(size_t wanted) {
    if (state_->writes++ == state_->faults.failing_write)
      fail(ErrorCode::kIo, "writing {} bytes: the disk has a bad sector", wanted);
    const uint64_t before = state_->bytes_written;
    const size_t count = std::min<uint64_t>(wanted, state_->faults.space - before);
    state_->bytes_written += count;
    return count;
  }
  static void check(size_t count, size_t wanted) {
    if (count < wanted) fail(ErrorCode::kIo, "writing {} bytes: no space left on device", wanted);
  }

  std::unique_ptr<WritableFile> inner_;
  std::shared_ptr<State> state_;
};

}  // namespace

FaultyFileSystem::FaultyFileSystem(FileSystem& inner, Faults faults)
    : inner_(inner), state_(std::make_shared<State>()) {
  state_->faults = faults;
}

std::unique_ptr<RandomAccessFile> FaultyFileSystem::open(const std::filesystem::path& path) const {
  return std::make_unique<FaultyFile>(inner_.open(path), state_);
}

std::unique_ptr<WritableFile> FaultyFileSystem::create(const std::filesystem::path& path) {
  return std::make_unique<FaultyWritableFile>(inner_.create(path), state_);
}

void FaultyFileSystem::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (state_->faults.crash_at_rename) {
    state_->crashed = true;
    fail(ErrorCode::kIo, "the machine stopped before a rename");
  }
  inner_.rename(from, to);
}

void FaultyFileSystem::remove(const std::filesystem::path& path) {
  if (!state_->crashed) inner_.remove(path);
}

std::filesystem::path FaultyFileSystem::destination(const std::filesystem::path& path) const {
  return inner_.destination(path);
}

void FaultyFileSystem::create_folders(const std::filesystem::path& folder) {
  inner_.create_folders(folder);
}

bool FaultyFileSystem::remove_empty_folder(const std::filesystem::path& folder) {
  return !state_->crashed && inner_.remove_empty_folder(folder);
}

void FaultyFileSystem::sync_folder(const std::filesystem::path& folder) {
  if (state_->faults.fail_sync) fail(ErrorCode::kIo, "syncing a folder: the disk went away");
  inner_.sync_folder(folder);
}

bool FaultyFileSystem::exists(const std::filesystem::path& path) const {
  return inner_.exists(path);
}

bool FaultyFileSystem::is_folder(const std::filesystem::path& path) const {
  return inner_.is_folder(path);
}

std::vector<std::string> FaultyFileSystem::list(const std::filesystem::path& folder) const {
  return inner_.list(folder);
}

}  // namespace tessera
