#include "tessera/data/internal/bmp.h"

#include <algorithm>
#include <array>
#include <vector>

#include "tessera/data/internal/bmp_packed.h"
#include "tessera/data/internal/picture.h"

namespace tessera::internal {
namespace {

using Bytes = std::span<const std::byte>;
using Colour = std::array<uint8_t, 3>;  // red, green, blue

constexpr size_t kFileHeader = 14;
constexpr uint32_t kOs2Header = 12;
constexpr uint32_t kWindowsHeader = 40;
constexpr uint32_t kLongestHeader = 124;

/// What BMP calls its compressions.
enum Compression : uint32_t { kNone = 0, kRle8 = 1, kRle4 = 2, kMasks = 3, kJpeg = 4, kPng = 5 };

/// The `count` bytes at `at`, least significant first.
uint32_t number(Bytes file, size_t at, size_t count) {
  require_valid(at + count <= file.size(), "the BMP is cut: byte {} is needed, it has {}",
                at + count - 1, file.size());
  uint32_t value = 0;
  for (size_t i = count; i-- > 0;) value = value << 8 | std::to_integer<uint32_t>(file[at + i]);
  return value;
}

struct Header {
  int64_t width = 0;
  int64_t height = 0;
  bool top_down = false;
  uint32_t bits = 0;
  bool has_565 = false;  // 16 bits with six of them green
  std::vector<Colour> palette;
  size_t pixels_at = 0;
  size_t line_bytes = 0;  // in the file, padded to a multiple of four
  bool is_packed = false;
};

bool is_rle(uint32_t compression, uint32_t bits) {
  return (compression == kRle8 && bits == 8) || (compression == kRle4 && bits == 4);
}

void check_compression(uint32_t compression, uint32_t bits) {
  if (compression == kNone || is_rle(compression, bits) ||
      (compression == kMasks && (bits == 16 || bits == 32)))
    return;
  constexpr std::array<std::string_view, 6> kNames = {"none",          "RLE8", "RLE4",
                                                      "channel masks", "JPEG", "PNG"};
  fail(ErrorCode::kUnsupported,
       "BMP with compression {} ({}) at {} bits; read are not compressed ones, RLE8 at 8 bits and "
       "RLE4 at 4",
       compression, compression < kNames.size() ? kNames[compression] : "unknown", bits);
}

/// Channel masks stand after a header of 40 bytes, in a longer one at the same place.
bool has_565_masks(Bytes file, uint32_t bits) {
  const size_t at = kFileHeader + kWindowsHeader;
  const std::array<uint32_t, 3> masks = {number(file, at, 4), number(file, at + 4, 4),
                                         number(file, at + 8, 4)};
  constexpr std::array<uint32_t, 3> k888 = {0xFF0000, 0xFF00, 0xFF};
  constexpr std::array<uint32_t, 3> k565 = {0xF800, 0x07E0, 0x001F};
  constexpr std::array<uint32_t, 3> k555 = {0x7C00, 0x03E0, 0x001F};
  if (bits == 32 ? masks == k888 : masks == k565 || masks == k555) return masks == k565;
  fail(ErrorCode::kUnsupported,
       "BMP of {} bits with the channel masks {:#x}, {:#x}, {:#x}; {} are read", bits, masks[0],
       masks[1], masks[2],
       bits == 32 ? "0xff0000, 0xff00, 0xff" : "those of 5, 5, 5 and 5, 6, 5 bits");
}

Header read_header(Bytes file, int64_t max_pixels) {
  Header header;
  const uint32_t size = number(file, kFileHeader, 4);
  const bool os2 = size == kOs2Header;
  require_valid(os2 || (size >= kWindowsHeader && size <= kLongestHeader),
                "byte {} of the BMP gives a header of {} bytes; wanted {} or {} to {}", kFileHeader,
                size, kOs2Header, kWindowsHeader, kLongestHeader);
  const size_t at = kFileHeader + 4;
  const size_t extent = os2 ? 2 : 4;
  const auto signed_number = [&](size_t where) {
    const uint32_t value = number(file, where, extent);
    return os2 ? int64_t{static_cast<int16_t>(value)} : int64_t{static_cast<int32_t>(value)};
  };
  header.width = signed_number(at);
  header.height = signed_number(at + extent);
  header.top_down = header.height < 0;
  header.height = std::abs(header.height);
  check_pixels(header.width, header.height, max_pixels);
  header.bits = number(file, at + 2 * extent + 2, 2);
  constexpr std::array<uint32_t, 6> kBits = {1, 4, 8, 16, 24, 32};
  require_valid(std::find(kBits.begin(), kBits.end(), header.bits) != kBits.end(),
                "byte {} of the BMP gives {} bits a pixel; there are 1, 4, 8, 16, 24 and 32",
                at + 2 * extent + 2, header.bits);
  const uint32_t compression = os2 ? uint32_t{kNone} : number(file, kFileHeader + 16, 4);
  check_compression(compression, header.bits);
  header.is_packed = is_rle(compression, header.bits);
  if (compression == kMasks) header.has_565 = has_565_masks(file, header.bits);
  if (header.bits <= 8) {
    const uint32_t most = 1U << header.bits;
    const uint32_t used = os2 ? 0 : number(file, kFileHeader + 32, 4);
    require_valid(used <= most, "byte {} of the BMP gives {} colours; {} bits have {}",
                  kFileHeader + 32, used, header.bits, most);
    const size_t entry = os2 ? 3 : 4;
    for (size_t i = 0; i < (used == 0 ? most : used); ++i) {
      const uint32_t colour = number(file, kFileHeader + size + i * entry, 3);
      header.palette.push_back({static_cast<uint8_t>(colour >> 16),
                                static_cast<uint8_t>(colour >> 8), static_cast<uint8_t>(colour)});
    }
  }
  header.pixels_at = number(file, 10, 4);
  header.line_bytes = (static_cast<size_t>(header.width) * header.bits + 31) / 32 * 4;
  require_valid(
      header.pixels_at >= kFileHeader + size && header.pixels_at <= file.size(),
      "byte 10 of the BMP says that the pixels begin at byte {}; the headers have {}, the "
      "file {}",
      header.pixels_at, kFileHeader + size, file.size());
  return header;
}

Colour colour_at(const Header& header, uint32_t index) {
  require_valid(index < header.palette.size(), "a pixel of the BMP has colour {} of {}", index,
                header.palette.size());
  return header.palette[index];
}

Colour palette_colour(const Header& header, Bytes line, size_t x) {
  const size_t bit = x * header.bits;
  const auto byte = std::to_integer<uint32_t>(line[bit / 8]);
  return colour_at(header, byte >> (8 - header.bits - bit % 8) & ((1U << header.bits) - 1));
}

/// Five or six bits become the upper ones of a byte, as OpenCV makes them.
Colour colour_of_16(const Header& header, Bytes line, size_t x) {
  const uint32_t value = number(line, 2 * x, 2);
  const auto blue = static_cast<uint8_t>(value << 3 & 0xF8);
  if (header.has_565)
    return {static_cast<uint8_t>(value >> 8 & 0xF8), static_cast<uint8_t>(value >> 3 & 0xFC), blue};
  return {static_cast<uint8_t>(value >> 7 & 0xF8), static_cast<uint8_t>(value >> 2 & 0xF8), blue};
}

void decode_line(const Header& header, Bytes line, uint8_t* out) {
  const size_t step = header.bits / 8;
  for (size_t x = 0; x < static_cast<size_t>(header.width); ++x) {
    Colour colour{};
    if (header.bits <= 8)
      colour = palette_colour(header, line, x);
    else if (header.bits == 16)
      colour = colour_of_16(header, line, x);
    else
      for (size_t c = 0; c < 3; ++c) colour[c] = std::to_integer<uint8_t>(line[x * step + 2 - c]);
    out = std::copy(colour.begin(), colour.end(), out);
  }
}

Tensor decode_packed(const Header& header, Bytes file) {
  const auto width = static_cast<size_t>(header.width);
  const auto height = static_cast<size_t>(header.height);
  const std::vector<uint8_t> indexes =
      unpack_rle(file.subspan(header.pixels_at),
                 {.bits = header.bits, .width = width, .height = height, .at = header.pixels_at});
  Tensor pixels = new_picture(header.height, header.width);
  uint8_t* out = pixels.mutable_data<uint8_t>().data();
  for (size_t y = 0; y < height; ++y) {
    const size_t line = header.top_down ? y : height - 1 - y;
    for (size_t x = 0; x < width; ++x) {
      const Colour colour = colour_at(header, indexes[line * width + x]);
      out = std::copy(colour.begin(), colour.end(), out);
    }
  }
  return pixels;
}

}  // namespace

bool is_bmp(Bytes file) {
  return file.size() >= 2 && file[0] == std::byte{'B'} && file[1] == std::byte{'M'};
}

Tensor decode_bmp(Bytes file, int64_t max_pixels) {
  const Header header = read_header(file, max_pixels);
  if (header.is_packed) return decode_packed(header, file);
  const auto height = static_cast<size_t>(header.height);
  require_valid((file.size() - header.pixels_at) / header.line_bytes >= height,
                "the BMP of {}×{} pixels at {} bits is cut: it needs {} bytes from byte {} on, the "
                "file has {}",
                header.width, header.height, header.bits, header.line_bytes * height,
                header.pixels_at, file.size());
  Tensor pixels = new_picture(header.height, header.width);
  uint8_t* out = pixels.mutable_data<uint8_t>().data();
  for (size_t y = 0; y < height; ++y, out += 3 * header.width) {
    const size_t line = header.top_down ? y : height - 1 - y;
    decode_line(header,
                file.subspan(header.pixels_at + line * header.line_bytes, header.line_bytes), out);
  }
  return pixels;
}

}  // namespace tessera::internal
