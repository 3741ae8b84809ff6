#include "tessera/io/temporary_files.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

namespace tessera {
namespace {

constexpr size_t kSlots = 64;
constexpr size_t kPathBytes = 4096;

// What a slot is for: nothing, a name being written, or the name with this id. Ids are never used
// twice, so that an owner whose name a signal handler took does not free the slot's next owner.
constexpr uint64_t kFree = 0;
constexpr uint64_t kBusy = 1;
constexpr uint64_t kFirstId = 2;

struct Slot {
  std::atomic<uint64_t> state{kFree};
  pid_t process = 0;  // a child has a copy of the slots but does not own the files
  char path[kPathBytes] = {};
};
static_assert(std::atomic<uint64_t>::is_always_lock_free, "a signal handler reads it");

Slot slots[kSlots];
std::atomic<uint64_t> next_id{kFirstId};

}  // namespace

void remove_temporary_files() noexcept {
  const int kept_errno = errno;
  for (Slot& slot : slots) {
    uint64_t id = slot.state.load();
    if (id < kFirstId || slot.process != ::getpid()) continue;
    if (!slot.state.compare_exchange_strong(id, kBusy)) continue;
    ::unlink(slot.path);
    slot.state.store(kFree);
  }
  errno = kept_errno;
}

namespace internal {

TemporaryName::TemporaryName(const std::filesystem::path& path) {
  std::error_code no_folder;  // the program may change folders before the signal comes
  const std::string absolute = std::filesystem::absolute(path, no_folder).string();
  if (no_folder) return;
  if (absolute.size() >= kPathBytes) return;
  for (size_t i = 0; i < kSlots; ++i) {
    uint64_t expected = kFree;
    if (!slots[i].state.compare_exchange_strong(expected, kBusy)) continue;
    std::memcpy(slots[i].path, absolute.c_str(), absolute.size() + 1);
    slots[i].process = ::getpid();
    slot_ = i;
    id_ = next_id++;
    slots[i].state.store(id_);
    return;
  }
}

TemporaryName::~TemporaryName() {
  uint64_t expected = id_;
  if (id_ != 0) slots[slot_].state.compare_exchange_strong(expected, kFree);
}

}  // namespace internal
}  // namespace tessera
