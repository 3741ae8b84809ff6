#include "tessera/data/internal/bmp_packed.h"

#include "tessera/base/error.h"

namespace tessera::internal {
namespace {

class Unpacking {
 public:
  Unpacking(std::span<const std::byte> bytes, const PackedPixels& pixels)
      : bytes_(bytes), pixels_(pixels), out_(pixels.width * pixels.height) {}

  std::vector<uint8_t> run() {
    while (y_ < pixels_.height) {
      const uint8_t count = next();
      const uint8_t value = next();
      if (count > 0)
        repeat(count, value);
      else if (value == 0)
        end_line();
      else if (value == 1)
        break;
      else if (value == 2)
        move();
      else
        copy(value);
    }
    return std::move(out_);
  }

 private:
  uint8_t next() {
    require_valid(place_ < bytes_.size(),
                  "the packed BMP is cut: it ends at byte {}, in line {} of {}",
                  pixels_.at + place_, y_ + 1, pixels_.height);
    return std::to_integer<uint8_t>(bytes_[place_++]);
  }

  void check_line(size_t count) const {
    require_valid(x_ + count <= pixels_.width,
                  "byte {} of the packed BMP puts {} pixels at pixel {} of a line of {}",
                  pixels_.at + place_ - 1, count, x_, pixels_.width);
  }

  void put(uint32_t value) { out_[y_ * pixels_.width + x_++] = static_cast<uint8_t>(value); }

  /// One colour, or two that alternate.
  void repeat(size_t count, uint8_t value) {
    check_line(count);
    for (size_t i = 0; i < count; ++i) put(pixels_.bits == 8 ? value : nibble(value, i));
  }

  /// Pixels as they are, padded to an even number of bytes.
  void copy(size_t count) {
    check_line(count);
    size_t read = 0;
    uint8_t byte = 0;
    for (size_t i = 0; i < count; ++i) {
      if (pixels_.bits == 8 || i % 2 == 0) {
        byte = next();
        ++read;
      }
      put(pixels_.bits == 8 ? byte : nibble(byte, i));
    }
    if (read % 2 == 1) next();
  }

  void end_line() {
    x_ = 0;
    ++y_;
  }

  void move() {
    const size_t right = next();
    const size_t lines = next();
    check_line(right);
    x_ += right;
    y_ += lines;
  }

  static uint32_t nibble(uint8_t byte, size_t i) { return i % 2 == 0 ? byte >> 4 : byte & 0xF; }

  std::span<const std::byte> bytes_;
  PackedPixels pixels_;
  std::vector<uint8_t> out_;
  size_t place_ = 0;
  size_t x_ = 0;
  size_t y_ = 0;
};

}  // namespace

std::vector<uint8_t> unpack_rle(std::span<const std::byte> bytes, const PackedPixels& pixels) {
  return Unpacking(bytes, pixels).run();
}

}  // namespace tessera::internal
