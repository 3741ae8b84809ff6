#include "tessera/io/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {

std::optional<FileLock> FileLock::try_lock(const std::filesystem::path& path) {
  const auto reason = [] { return std::generic_category().message(errno); };
  while (true) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) fail(ErrorCode::kIo, "creating {}: {}", printable(path.string()), reason());
    FileLock lock(descriptor);
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return {};
      fail(ErrorCode::kIo, "locking {}: {}", printable(path.string()), reason());
    }
    // Its last holder may have removed the file between the opening and the locking.
    struct stat held {
    }, named{};
    if (::fstat(descriptor, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
        held.st_ino == named.st_ino && held.st_dev == named.st_dev)
      return lock;
  }
}

std::string FileLock::read(size_t limit) const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0)
    fail(ErrorCode::kIo, "reading a lock file: {}", std::generic_category().message(errno));
  std::string text(std::min(limit, static_cast<size_t>(status.st_size)), '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got =
        ::pread(descriptor_, text.data() + size, text.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      fail(ErrorCode::kIo, "reading a lock file: {}", std::generic_category().message(errno));
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  text.resize(size);
  return text;
}

void FileLock::write(std::string_view text) {
  if (::ftruncate(descriptor_, 0) != 0)
    fail(ErrorCode::kIo, "emptying a lock file: {}", std::generic_category().message(errno));
  for (size_t at = 0; at < text.size();) {
    const ssize_t put =
        ::pwrite(descriptor_, text.data() + at, text.size() - at, static_cast<off_t>(at));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0)
      fail(ErrorCode::kIo, "writing a lock file: {}",
           std::generic_category().message(put < 0 ? errno : ENOSPC));
    at += static_cast<size_t>(put);
  }
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace tessera
