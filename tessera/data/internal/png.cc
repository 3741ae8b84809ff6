#include "tessera/data/internal/png.h"

#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <string>
#include <vector>

#include "tessera/data/internal/picture.h"

namespace tessera::internal {
namespace {

/// What libpng's callbacks share. libpng reports errors by longjmp, so nothing that needs a
/// destructor is made between setjmp and the calls that may jump.
struct Source {
  std::span<const std::byte> file;
  size_t at = 0;
  std::string error;
};

void read_bytes(png_structp png, png_bytep out, size_t count) {
  auto* source = static_cast<Source*>(png_get_io_ptr(png));
  if (count > source->file.size() - source->at) png_error(png, "it is cut");
  std::memcpy(out, source->file.data() + source->at, count);
  source->at += count;
}

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  static_cast<Source*>(png_get_error_ptr(png))->error = message;
  png_longjmp(png, 1);
}

void on_warning(png_structp /*png*/, png_const_charp /*message*/) {}

struct Reader {
  Source source;
  png_structp png = nullptr;
  png_infop info = nullptr;

  explicit Reader(std::span<const std::byte> file) : source{file, 0, {}} {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, on_error, on_warning);
    info = png == nullptr ? nullptr : png_create_info_struct(png);
    if (info == nullptr) fail(ErrorCode::kInternal, "libpng does not start");
    png_set_read_fn(png, &source, read_bytes);
  }
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// Reads the header and asks for 8 bits, three colours without palette and no transparency. False
  /// when libpng jumped.
  bool read_header() {
    if (setjmp(png_jmpbuf(png)) != 0) return false;
    png_read_info(png, info);
    png_set_strip_16(png);
    png_set_expand(png);
    png_set_strip_alpha(png);
    png_set_gray_to_rgb(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    return true;
  }
  bool read_pixels(png_bytepp lines) {
    if (setjmp(png_jmpbuf(png)) != 0) return false;
    png_read_image(png, lines);
    png_read_end(png, nullptr);
    return true;
  }
};

}  // namespace

bool is_png(std::span<const std::byte> file) {
  return file.size() >= 8 && png_sig_cmp(reinterpret_cast<png_const_bytep>(file.data()), 0, 8) == 0;
}

Tensor decode_png(std::span<const std::byte> file, int64_t max_pixels) {
  Reader reader(file);
  require_valid(reader.read_header(), "PNG at byte {}: {}", reader.source.at, reader.source.error);
  const int64_t width = png_get_image_width(reader.png, reader.info);
  const int64_t height = png_get_image_height(reader.png, reader.info);
  check_pixels(width, height, max_pixels);
  // Deflate expands 1032 times at most.
  require_valid(width * height / 8 <= std::ssize(file) * 1032,
                "a picture of {}×{} pixels in {} bytes of PNG", width, height, file.size());
  const auto line_bytes = static_cast<int64_t>(png_get_rowbytes(reader.png, reader.info));
  require_valid(line_bytes == width * 3, "PNG lines of {} bytes for {} pixels", line_bytes, width);
  Tensor pixels = new_picture(height, width);
  std::vector<png_bytep> lines;
  for (int64_t y = 0; y < height; ++y)
    lines.push_back(pixels.mutable_data<uint8_t>().data() + y * line_bytes);
  require_valid(reader.read_pixels(lines.data()), "PNG at byte {}: {}", reader.source.at,
                reader.source.error);
  return pixels;
}

std::vector<std::byte> write_png(const Tensor& pixels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(pixels.shape()[1]);
  image.height = static_cast<png_uint_32>(pixels.shape()[0]);
  image.format = pixels.shape()[2] == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<std::byte> file(size);
  if (png_image_write_to_memory(&image, file.data(), &size, 0, pixels.bytes().data(), 0, nullptr) ==
      0)
    fail(ErrorCode::kInternal, "libpng does not write {}: {}", describe(pixels), image.message);
  file.resize(size);
  return file;
}

}  // namespace tessera::internal
