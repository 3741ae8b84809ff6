#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/io/file.h"

namespace tessera {
namespace {

std::string reason(int error) {
  return std::generic_category().message(error);
}

std::string shown(const std::filesystem::path& path) {
  return printable(path.string());
}

ErrorCode code_of(int error) {
  return error == ENOENT || error == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo;
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int number() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

std::string_view kind_name(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

class PosixFile : public RandomAccessFile {
 public:
  PosixFile(int number, uint64_t size, std::string name)
      : descriptor_(number), size_(size), name_(std::move(name)) {}

  void read(uint64_t offset, std::span<std::byte> out) const override {
    while (!out.empty()) {
      const ssize_t got = ::pread(descriptor_.number(), out.data(), std::min(out.size(), kMost),
                                  static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      check_read(got, offset, out.size());
      out = out.subspan(static_cast<size_t>(got));
      offset += static_cast<uint64_t>(got);
    }
  }

  void read_scattered(uint64_t offset, std::span<const std::span<std::byte>> parts) const override {
    constexpr size_t kMostParts = 256;
    std::array<iovec, kMostParts> batch;
    while (!parts.empty()) {
      size_t count = 0, wanted = 0;
      while (count < std::min(parts.size(), kMostParts) && wanted < kMost) {
        batch[count] = {parts[count].data(), parts[count].size()};
        wanted += parts[count++].size();
      }
      ssize_t got = 0;
      do {
        got = ::preadv(descriptor_.number(), batch.data(), static_cast<int>(count),
                       static_cast<off_t>(offset));
      } while (got < 0 && errno == EINTR);
      if (wanted > 0) check_read(got, offset, wanted);
      offset += static_cast<uint64_t>(got);
      auto rest = static_cast<size_t>(got);
      while (!parts.empty() && rest >= parts.front().size()) {
        rest -= parts.front().size();
        parts = parts.subspan(1);
      }
      if (rest == 0) continue;
      read(offset, parts.front().subspan(rest));  // the system stopped inside a part
      offset += parts.front().size() - rest;
      parts = parts.subspan(1);
    }
  }

  uint64_t size() const override { return size_; }
  const std::string& name() const override { return name_; }

  Mapping map() const override {
    if (size_ == 0) return {};
    void* memory = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor_.number(), 0);
    if (memory == MAP_FAILED) return {};
    const std::span<const std::byte> bytes(static_cast<const std::byte*>(memory), size_);
    const std::shared_ptr<const void> owner(
        memory, [size = size_](void* mapped) { ::munmap(mapped, size); });
    return {bytes, owner};
  }

 private:
  static constexpr size_t kMost = size_t{1} << 30;

  void check_read(ssize_t got, uint64_t offset, size_t wanted) const {
    if (got < 0)
      fail(ErrorCode::kIo, "{}: reading {} bytes at byte {}: {}", printable(name_), wanted, offset,
           reason(errno));
    require_valid(got > 0,
                  "{}: the file ends at byte {} although it had {} bytes when it was opened",
                  printable(name_), offset, size_);
  }

  Descriptor descriptor_;
  uint64_t size_;
  std::string name_;
};

class PosixWritableFile : public WritableFile {
 public:
  PosixWritableFile(int number, std::string name) : descriptor_(number), name_(std::move(name)) {}

  void append(std::span<const std::byte> bytes) override {
    write_at(end_, bytes);
    end_ += bytes.size();
  }
  void write_at(uint64_t offset, std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t put =
          ::pwrite(descriptor_.number(), bytes.data(), std::min(bytes.size(), size_t{1} << 30),
                   static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0)
        fail(ErrorCode::kIo, "{}: writing {} bytes at byte {}: {}", printable(name_), bytes.size(),
             offset, reason(put < 0 ? errno : ENOSPC));
      bytes = bytes.subspan(static_cast<size_t>(put));
      offset += static_cast<uint64_t>(put);
    }
  }
  void write_gathered(uint64_t offset, std::span<const std::span<const std::byte>> parts) override {
    constexpr size_t kMostParts = 512;
    std::array<iovec, kMostParts> batch;
    while (!parts.empty()) {
      const size_t count = std::min(parts.size(), kMostParts);
      size_t wanted = 0;
      for (size_t i = 0; i < count; ++i) {
        batch[i] = {const_cast<std::byte*>(parts[i].data()), parts[i].size()};
        wanted += parts[i].size();
      }
      const ssize_t put = ::pwritev(descriptor_.number(), batch.data(), static_cast<int>(count),
                                    static_cast<off_t>(offset));
      if (put < 0 && errno != EINTR) write_at(offset, parts.front());  // which says what is wrong
      auto done = put < 0 ? size_t{0} : static_cast<size_t>(put);
      if (done == wanted) {
        offset += wanted;
        parts = parts.subspan(count);
        continue;
      }
      // The system stopped on the way: go on part by part.
      for (; !parts.empty() && done >= parts.front().size(); parts = parts.subspan(1)) {
        done -= parts.front().size();
        offset += parts.front().size();
      }
      if (parts.empty()) return;
      write_at(offset + done, parts.front().subspan(done));
      offset += parts.front().size();
      parts = parts.subspan(1);
    }
  }
  void sync() override {
    if (::fsync(descriptor_.number()) != 0)
      fail(ErrorCode::kIo, "{}: syncing: {}", printable(name_), reason(errno));
  }
  void close() override {
    const int number = descriptor_.release();
    if (number >= 0 && ::close(number) != 0)
      fail(ErrorCode::kIo, "{}: closing: {}", printable(name_), reason(errno));
  }

 private:
  Descriptor descriptor_;
  std::string name_;
  uint64_t end_ = 0;
};

class PosixFileSystem : public FileSystem {
 public:
  std::unique_ptr<RandomAccessFile> open(const std::filesystem::path& path) const override {
    struct stat status {};
    // Asked before opening: a socket cannot be opened, and opening a pipe would wait for a writer.
    if (::stat(path.c_str(), &status) != 0)
      fail(code_of(errno), "{}: {}", shown(path), reason(errno));
    require(S_ISREG(status.st_mode), "{} is {}; a regular file is wanted", shown(path),
            kind_name(status.st_mode));
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.number() < 0) fail(code_of(errno), "opening {}: {}", shown(path), reason(errno));
    if (::fstat(file.number(), &status) != 0)
      fail(ErrorCode::kIo, "{}: {}", shown(path), reason(errno));
    require(S_ISREG(status.st_mode), "{} became {} while it was opened", shown(path),
            kind_name(status.st_mode));
    return std::make_unique<PosixFile>(file.release(), static_cast<uint64_t>(status.st_size),
                                       path.string());
  }

  std::unique_ptr<WritableFile> create(const std::filesystem::path& path) override {
    const int number = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (number < 0) fail(code_of(errno), "creating {}: {}", shown(path), reason(errno));
    return std::make_unique<PosixWritableFile>(number, path.string());
  }

  void rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    if (std::rename(from.c_str(), to.c_str()) != 0)
      fail(ErrorCode::kIo, "renaming {} to {}: {}", shown(from), shown(to), reason(errno));
  }

  void remove(const std::filesystem::path& path) override {
    if (::unlink(path.c_str()) != 0)
      fail(code_of(errno), "removing {}: {}", shown(path), reason(errno));
  }

  std::filesystem::path destination(const std::filesystem::path& path) const override {
    constexpr int kMostLinks = 40;  // as many as Linux follows
    struct stat status {};
    // Asked first: the links of /dev/stdout lead to what has no name.
    if (::stat(path.c_str(), &status) == 0) {
      require(!S_ISDIR(status.st_mode), "'{}' is a folder; name a file in it", shown(path));
      require(S_ISREG(status.st_mode), "'{}' is {}; a regular file or a new name is wanted",
              shown(path), kind_name(status.st_mode));
    }
    std::filesystem::path end = path;
    for (int i = 0; i <= kMostLinks; ++i) {
      if (::lstat(end.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) return end;
      std::error_code error;
      const std::filesystem::path target = std::filesystem::read_symlink(end, error);
      if (error) fail(ErrorCode::kIo, "reading the link {}: {}", shown(end), error.message());
      end = end.parent_path() / target;  // an absolute target replaces all of it
    }
    fail(ErrorCode::kInvalidArgument, "'{}' leads through more than {} symbolic links", shown(path),
         kMostLinks);
  }

  void create_folders(const std::filesystem::path& folder) override {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) fail(ErrorCode::kIo, "creating the folder {}: {}", shown(folder), error.message());
  }
  bool remove_empty_folder(const std::filesystem::path& folder) override {
    return ::rmdir(folder.c_str()) == 0;
  }

  void sync_folder(const std::filesystem::path& folder) override {
    const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // EINVAL: some network file systems cannot sync folders and keep renames in order anyway.
    if (opened.number() < 0 || (::fsync(opened.number()) != 0 && errno != EINVAL))
      fail(ErrorCode::kIo, "syncing the folder {}: {}", shown(folder), reason(errno));
  }

  bool exists(const std::filesystem::path& path) const override {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
  }
  bool is_folder(const std::filesystem::path& path) const override {
    std::error_code ignored;
    return std::filesystem::is_directory(path, ignored);
  }
  std::vector<std::string> list(const std::filesystem::path& folder) const override {
    std::error_code error;
    std::vector<std::string> names;
    std::filesystem::directory_iterator entry(folder, error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
      names.push_back(entry->path().filename().string());
    if (error) fail(code_of(error.value()), "listing {}: {}", shown(folder), error.message());
    std::sort(names.begin(), names.end());
    return names;
  }
};

}  // namespace

FileSystem& local_file_system() {
  static PosixFileSystem files;
  return files;
}

}  // namespace tessera
