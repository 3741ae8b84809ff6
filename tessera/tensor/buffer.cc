#include "tessera/tensor/buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <ctime>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {

std::string to_string(const Device& device) {
  return device.index == 0 ? "cpu" : fmt::format("cpu:{}", device.index);
}

std::shared_ptr<Buffer> Buffer::allocate(int64_t bytes, Device device) {
  constexpr int64_t kHugePage = int64_t{2} << 20;
  require(bytes >= 0, "a buffer of {} bytes was asked for", bytes);
  std::shared_ptr<Buffer> buffer(new Buffer);
  const bool large = bytes >= 2 * kHugePage;
  const size_t alignment = large ? kHugePage : 64;
  const auto padded = (static_cast<size_t>(bytes) + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, std::max(padded, alignment));
  require(memory != nullptr, "there is no memory for a buffer of {}", human_bytes(bytes));
  // Advice only: a no changes nothing.
  if (large) buffer->has_huge_pages_ = madvise(memory, padded, MADV_HUGEPAGE) == 0;
  buffer->data_ = static_cast<std::byte*>(memory);
  buffer->size_ = bytes;
  buffer->device_ = device;
  return buffer;
}

std::shared_ptr<Buffer> Buffer::read_only(std::span<const std::byte> bytes,
                                          std::shared_ptr<const void> owner) {
  std::shared_ptr<Buffer> buffer(new Buffer);
  buffer->data_ = const_cast<std::byte*>(bytes.data());  // NOLINT: guarded by writable_
  buffer->size_ = static_cast<int64_t>(bytes.size());
  buffer->writable_ = false;
  buffer->owner_ = std::move(owner);
  return buffer;
}

Buffer::~Buffer() {
  if (owner_ == nullptr && writable_) std::free(data_);  // NOLINT: pairs with aligned_alloc
}

std::byte* Buffer::mutable_data() {
  if (!writable_)
    fail(ErrorCode::kInternal, "this buffer of {} is read-only: it views a mapped file",
         human_bytes(static_cast<uint64_t>(size_)));
  return data_;
}

namespace {

/// The processor time of this thread, which waiting for other processes does not add to.
double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

void Buffer::populate(std::span<const std::byte> part) {
#ifdef MADV_POPULATE_WRITE
  constexpr uintptr_t kPage = 4096;
  constexpr double kSlow = 1e-3;  // a huge page is zeroed in a tenth of this
  if (part.empty() || !writable_) return;
  const auto begin = reinterpret_cast<uintptr_t>(part.data()) / kPage * kPage;
  const auto end =
      (reinterpret_cast<uintptr_t>(part.data() + part.size()) + kPage - 1) / kPage * kPage;
  const double start = thread_seconds();
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE);  // NOLINT
  const double huge_pages = 1 + static_cast<double>(part.size()) / (2 << 20);
  if (thread_seconds() - start < kSlow * huge_pages || !has_huge_pages_.exchange(false)) return;
  const auto first = reinterpret_cast<uintptr_t>(data_) / kPage * kPage;
  const auto size = static_cast<size_t>(size_) / kPage * kPage;
  madvise(reinterpret_cast<void*>(first), size, MADV_NOHUGEPAGE);  // NOLINT
#else
  static_cast<void>(part);
#endif
}

}  // namespace tessera
