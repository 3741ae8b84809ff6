// Bytes with an owner. Tensors share buffers; slices and reshapes of a tensor use the same one.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace tessera {

enum class DeviceKind : uint8_t { kCpu };

/// Where bytes lie. Only CPUs so far; nothing outside `io` and the CPU kernels assumes so.
struct Device {
  DeviceKind kind = DeviceKind::kCpu;
  int index = 0;
  bool operator==(const Device&) const = default;
};

/// "cpu".
std::string to_string(const Device& device);

class Buffer {
 public:
  /// Uninitialised memory, aligned to 64 bytes; large ones to huge pages, because the first touch
  /// of 4 KiB pages runs at a fraction of the speed. Throws kInvalidArgument when there is not
  /// enough.
  static std::shared_ptr<Buffer> allocate(int64_t bytes, Device device = {});
  /// Bytes that `owner` keeps alive, such as a mapping of a file. They must not change.
  static std::shared_ptr<Buffer> read_only(std::span<const std::byte> bytes,
                                           std::shared_ptr<const void> owner);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  Device device() const { return device_; }
  int64_t size() const { return size_; }
  bool is_writable() const { return writable_; }
  const std::byte* data() const { return data_; }
  /// Throws kInternal when the buffer is read-only.
  std::byte* mutable_data();

  /// Brings the pages of `part` of this buffer in, shortly before it is written for the first time:
  /// many at once cost less than one after the other. Where huge pages come slowly (in a virtual
  /// machine whose host has taken the free ones back) the rest of the buffer gets small ones.
  /// Thread-safe; only the speed depends on it.
  void populate(std::span<const std::byte> part);

 private:
  Buffer() = default;

  std::byte* data_ = nullptr;
  int64_t size_ = 0;
  Device device_;
  bool writable_ = true;
  std::atomic<bool> has_huge_pages_ = false;
  std::shared_ptr<const void> owner_;  // null: data_ is ours
};

}  // namespace tessera
