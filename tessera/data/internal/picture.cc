#include "tessera/data/internal/picture.h"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>

#include "tessera/base/text.h"
#include "tessera/data/internal/bmp.h"
#include "tessera/data/internal/jpeg.h"
#include "tessera/data/internal/png.h"
#include "tessera/data/reading/spare_buffers.h"

namespace tessera::internal {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::string_view kPgm = "P5";

std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// One number of a PGM header; comments run from # to the end of the line.
int64_t pgm_number(std::string_view text, size_t& at) {
  constexpr int64_t kMost = int64_t{1} << 30;
  const auto is_space = [&] { return std::isspace(static_cast<unsigned char>(text[at])) != 0; };
  while (at < text.size() && (is_space() || text[at] == '#'))
    at = text[at] == '#' ? std::min(text.find('\n', at), text.size()) : at + 1;
  const size_t begin = at;
  while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0) ++at;
  const auto number = parse_int(text.substr(begin, at - begin));
  require_valid(number && *number > 0 && *number <= kMost,
                "byte {} of the PGM header gives no size or largest value", begin);
  return *number;
}

Tensor decode_pgm(Bytes file, int64_t max_pixels) {
  const std::string_view text = as_text(file);
  size_t at = kPgm.size();
  const int64_t width = pgm_number(text, at);
  const int64_t height = pgm_number(text, at);
  const int64_t largest = pgm_number(text, at);
  if (largest > 255) fail(ErrorCode::kUnsupported, "PGM with values up to {}, not 255", largest);
  check_pixels(width, height, max_pixels);
  ++at;  // one white space
  const auto pixels = static_cast<size_t>(width * height);
  require_valid(at <= file.size() && file.size() - at >= pixels,
                "PGM of {}×{} needs {} bytes from byte {} on, the file has {}", width, height,
                pixels, at, file.size());
  Tensor tensor = new_picture(height, width);
  const auto out = tensor.mutable_data<uint8_t>();
  for (size_t i = 0; i < pixels; ++i)
    std::fill_n(&out[3 * i], 3,
                static_cast<uint8_t>(std::to_integer<int64_t>(file[at + i]) * 255 / largest));
  return tensor;
}

/// What a file of another kind is, where its first bytes tell.
std::string_view foreign_kind(std::string_view text) {
  constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
      {"GIF8", "a GIF"},
      {std::string_view("II*\0", 4), "a TIFF"},
      {std::string_view("MM\0*", 4), "a TIFF"},
      {"P2", "a PGM written as text"},
      {"P6", "a PPM"},
      {"%PDF", "a PDF"},
      {std::string_view("\0\0\0\x0CjP  ", 8), "a JPEG 2000"},
      {"<svg", "an SVG"},
      {"<!DOCTYPE", "a page of HTML"},
      {"<html", "a page of HTML"},
  };
  for (const auto& [begin, kind] : kKinds)
    if (text.starts_with(begin)) return kind;
  if (text.starts_with("RIFF") && text.substr(0, 12).ends_with("WEBP")) return "a WebP";
  if (text.substr(0, 12).ends_with("ftypavif")) return "an AVIF";
  if (text.substr(0, 12).ends_with("ftypheic")) return "a HEIC";
  return {};
}

}  // namespace

void check_pixels(int64_t width, int64_t height, int64_t max_pixels) {
  require_valid(width > 0 && height > 0, "a picture of {}×{} pixels", width, height);
  if (width > max_pixels / height)
    fail(ErrorCode::kUnsupported,
         "a picture of {}×{} pixels; more than {} are read only when max_pixels (--max-pixels) "
         "says so",
         width, height, max_pixels);
}

Tensor new_picture(int64_t height, int64_t width) {
  constexpr int64_t kMostBytes = int64_t{4} << 20;  // fresh memory above this has huge pages
  thread_local SpareBuffers spare(kMostBytes, 2);
  return spare.tensor(DType::kU8, {height, width, 3});
}

bool is_picture(Bytes file) {
  return is_jpeg(file) || is_png(file) || is_bmp(file) || as_text(file).starts_with(kPgm);
}

Tensor decode_picture(Bytes file, int64_t max_pixels, const PixelsWanted& wanted) {
  if (is_jpeg(file)) return decode_jpeg(file, max_pixels, wanted);
  if (is_png(file)) return decode_png(file, max_pixels);
  if (is_bmp(file)) return decode_bmp(file, max_pixels);
  if (as_text(file).starts_with(kPgm)) return decode_pgm(file, max_pixels);
  require_valid(!file.empty(), "it is empty");
  const std::string_view text = as_text(file);
  const std::string_view kind = foreign_kind(text);
  const std::string found = kind.empty()
                                ? fmt::format("it begins with '{}'", printable(text.substr(0, 8)))
                                : fmt::format("it is {}", kind);
  fail(ErrorCode::kUnsupported, "{}; JPEG, PNG, BMP and binary PGM are read", found);
}

}  // namespace tessera::internal
