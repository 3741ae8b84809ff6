#include "tessera/io/part_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>
#include <vector>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/io/file.h"

namespace tessera {
namespace {

[[noreturn]] void refuse(const char* what, const std::filesystem::path& path) {
  fail(ErrorCode::kIo, "{} {}: {}", what, printable(path.string()),
       std::generic_category().message(errno));
}

}  // namespace

PartFile::PartFile(std::filesystem::path path) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor_ < 0) refuse("opening", path_);
  struct stat status {};
  const bool is_file = ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode);
  if (!is_file) {
    ::close(descriptor_);
    fail(ErrorCode::kIo, "{} is no file", printable(path_.string()));
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

PartFile::~PartFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void PartFile::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) refuse("writing", path_);
    size_ += static_cast<uint64_t>(put);
    bytes = bytes.subspan(static_cast<size_t>(put));
  }
}

void PartFile::clear() {
  if (::ftruncate(descriptor_, 0) != 0) refuse("emptying", path_);
  size_ = 0;
}

void PartFile::read(const std::function<void(std::span<const std::byte>)>& visit) const {
  std::vector<std::byte> buffer(size_t{1} << 20);
  for (uint64_t at = 0; at < size_;) {
    const ssize_t got = ::pread(descriptor_, buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) refuse("reading", path_);
    visit(std::span(buffer).first(static_cast<size_t>(got)));
    at += static_cast<uint64_t>(got);
  }
}

void PartFile::move_to(const std::filesystem::path& path) {
  if (::fsync(descriptor_) != 0) refuse("writing", path_);
  if (std::rename(path_.c_str(), path.c_str()) != 0) refuse("renaming", path_);
  local_file_system().sync_folder(path.parent_path());
}

void PartFile::remove() {
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) refuse("removing", path_);
}

}  // namespace tessera
