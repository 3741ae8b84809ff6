// The temporary files of this process, in a form that a signal handler can read.
//
//   extern "C" void stop(int signal) { remove_temporary_files(); ... }
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace tessera {

/// Unlinks the temporary files of every AtomicFile of this process on the local file system. It is
/// async-signal-safe and meant for a program about to end: a commit() that comes later fails. Files
/// whose names have more than 4095 bytes, and those beyond 64 at a time, are not known here.
void remove_temporary_files() noexcept;

namespace internal {

/// Keeps a name among those that remove_temporary_files unlinks while it lives.
class TemporaryName {
 public:
  explicit TemporaryName(const std::filesystem::path& path);
  ~TemporaryName();
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;

 private:
  size_t slot_ = 0;
  uint64_t id_ = 0;  // 0: no slot was free
};

}  // namespace internal
}  // namespace tessera
