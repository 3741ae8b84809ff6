#include "tessera/data/internal/jpeg.h"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs FILE
#include <string>
#include <vector>

#include <jpeglib.h>

#include <jerror.h>

#include "tessera/data/internal/picture.h"

namespace tessera::internal {
namespace {

constexpr int kMostScans = 200;  // of a progressive file; encoders write about ten
// What Huffman-coded data can hold at most: a bit for each block, of which chroma has few.
constexpr int64_t kPixelsPerByte = 2048;

/// Warnings of libjpeg after which the pixels are not what was encoded. The others (bytes too many
/// between segments, odd versions in a header) leave them whole.
bool is_damage(int code) {
  constexpr std::array<int, 5> kDamage = {JWRN_ARITH_BAD_CODE, JWRN_BOGUS_PROGRESSION,
                                          JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE, JWRN_MUST_RESYNC};
  return std::find(kDamage.begin(), kDamage.end(), code) != kDamage.end();
}

/// What libjpeg's callbacks share. libjpeg reports errors by longjmp, so nothing that needs a
/// destructor is made between setjmp and the calls that may jump.
struct Reader {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::jmp_buf jump{};
  std::span<const std::byte> file;
  bool ended = false;  // libjpeg wanted more bytes than there are
  std::array<char, JMSG_LENGTH_MAX> message{};

  explicit Reader(std::span<const std::byte> bytes);
  ~Reader() { jpeg_destroy_decompress(&jpeg); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  bool read_header();
  bool start();
  bool read_lines(uint8_t* out, size_t line_bytes, int64_t count);
  /// The pixels of `box` at least, each at its place in `out`; `line` has room for one line.
  bool read_part(uint8_t* out, size_t line_bytes, const PixelBox& box, uint8_t* line);
  void copy_lines(uint8_t* out, size_t line_bytes, int64_t count);
  [[noreturn]] void throw_error() const;
};

Reader& reader_of(j_common_ptr jpeg) {
  return *static_cast<Reader*>(jpeg->client_data);
}

[[noreturn]] void on_error(j_common_ptr jpeg) {
  Reader& reader = reader_of(jpeg);
  reader.errors.format_message(jpeg, reader.message.data());
  std::longjmp(reader.jump, 1);
}

void on_message(j_common_ptr jpeg, int level) {
  if (level < 0 && is_damage(reader_of(jpeg).errors.msg_code)) on_error(jpeg);
}

void ignore_message(j_common_ptr /*jpeg*/) {}

void on_progress(j_common_ptr jpeg) {
  if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number <= kMostScans) return;
  Reader& reader = reader_of(jpeg);
  std::snprintf(reader.message.data(), reader.message.size(), "more than %d scans", kMostScans);
  std::longjmp(reader.jump, 1);
}

void ignore_source(j_decompress_ptr /*jpeg*/) {}

/// Gives an end mark where the file has ended: the decoder knows then whether it missed something.
boolean refill(j_decompress_ptr jpeg) {
  static constexpr std::array<JOCTET, 2> kEnd = {0xFF, JPEG_EOI};
  static_cast<Reader*>(jpeg->client_data)->ended = true;
  jpeg->src->next_input_byte = kEnd.data();
  jpeg->src->bytes_in_buffer = kEnd.size();
  return TRUE;
}

void skip(j_decompress_ptr jpeg, long count) {
  const auto bytes = static_cast<size_t>(std::max(count, 0L));
  if (bytes > jpeg->src->bytes_in_buffer) {
    refill(jpeg);
    return;
  }
  jpeg->src->next_input_byte += bytes;
  jpeg->src->bytes_in_buffer -= bytes;
}

Reader::Reader(std::span<const std::byte> bytes) : file(bytes) {
  jpeg.err = jpeg_std_error(&errors);
  errors.error_exit = on_error;
  errors.emit_message = on_message;
  errors.output_message = ignore_message;
  jpeg.client_data = this;
  if (setjmp(jump) != 0) fail(ErrorCode::kInternal, "libjpeg does not start: {}", message.data());
  jpeg_create_decompress(&jpeg);
  source.init_source = ignore_source;
  source.fill_input_buffer = refill;
  source.skip_input_data = skip;
  source.resync_to_restart = jpeg_resync_to_restart;
  source.term_source = ignore_source;
  source.next_input_byte = reinterpret_cast<const JOCTET*>(file.data());
  source.bytes_in_buffer = file.size();
  jpeg.src = &source;
  progress.progress_monitor = on_progress;
  jpeg.progress = &progress;
}

bool Reader::read_header() {
  if (setjmp(jump) != 0) return false;
  jpeg_read_header(&jpeg, TRUE);
  const bool four = jpeg.jpeg_color_space == JCS_CMYK || jpeg.jpeg_color_space == JCS_YCCK;
  jpeg.out_color_space = four ? JCS_CMYK : JCS_RGB;
  return true;
}

bool Reader::start() {
  if (setjmp(jump) != 0) return false;
  jpeg_start_decompress(&jpeg);
  return true;
}

void Reader::copy_lines(uint8_t* out, size_t line_bytes, int64_t count) {
  constexpr int64_t kLines = 16;
  JSAMPROW lines[kLines];
  for (int64_t done = 0; done < count;) {
    const int64_t wanted = std::min(kLines, count - done);
    for (int64_t i = 0; i < wanted; ++i)
      lines[i] = out + static_cast<size_t>(done + i) * line_bytes;
    done += jpeg_read_scanlines(&jpeg, lines, static_cast<JDIMENSION>(wanted));
  }
}

bool Reader::read_lines(uint8_t* out, size_t line_bytes, int64_t count) {
  if (setjmp(jump) != 0) return false;
  copy_lines(out, line_bytes, count);
  return true;
}

bool Reader::read_part(uint8_t* out, size_t line_bytes, const PixelBox& box, uint8_t* line) {
  if (setjmp(jump) != 0) return false;
  // Colours in fewer samples are computed from those beside, which lack at the edge of the part.
  const int64_t beside = jpeg.max_h_samp_factor;
  const int64_t above = jpeg.max_v_samp_factor;
  auto left = static_cast<JDIMENSION>(std::max<int64_t>(0, box.left - beside));
  const int64_t right = std::min<int64_t>(jpeg.output_width, box.right + beside);
  auto width = static_cast<JDIMENSION>(right - left);
  jpeg_crop_scanline(&jpeg, &left, &width);  // moves `left` to where a block begins
  const int64_t height = jpeg.output_height;
  const int64_t top = std::max<int64_t>(0, box.top - above);
  const int64_t bottom = box.bottom;
  if (top > 0) jpeg_skip_scanlines(&jpeg, static_cast<JDIMENSION>(top));
  copy_lines(out + static_cast<size_t>(top) * line_bytes + 3 * size_t{left}, line_bytes,
             bottom - top);
  // Skipping to the end would not look at the rest; the last line is behind all of it.
  if (bottom + 1 < height) jpeg_skip_scanlines(&jpeg, static_cast<JDIMENSION>(height - 1 - bottom));
  if (bottom < height) copy_lines(line, line_bytes, 1);
  return true;
}

void Reader::throw_error() const {
  switch (errors.msg_code) {
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_SOF_UNSUPPORTED:
      fail(ErrorCode::kUnsupported, "JPEG: {}", message.data());
    default:
      break;
  }
  if (ended)
    fail(ErrorCode::kCorruptData, "the JPEG is cut: it ends after byte {}, within its picture",
         file.size());
  fail(ErrorCode::kCorruptData, "JPEG at byte {}: {}", file.size() - source.bytes_in_buffer,
       message.data());
}

/// Lines of CMYK to red, green and blue. `inverted`: as Adobe's programs write it, 255 is no ink.
void convert_cmyk(std::span<const uint8_t> from, uint8_t* to, bool inverted) {
  for (size_t i = 0; i < from.size(); i += 4) {
    const int k = inverted ? from[i + 3] : 255 - from[i + 3];
    for (size_t c = 0; c < 3; ++c)
      *to++ = static_cast<uint8_t>((inverted ? from[i + c] : 255 - from[i + c]) * k / 255);
  }
}

/// Whether scans lack that would make all coefficients exact: libjpeg then smooths blocks with
/// those around them, also with blocks outside a part.
bool is_smoothed(const jpeg_decompress_struct& jpeg) {
  if (jpeg.progressive_mode == 0 || jpeg.coef_bits == nullptr) return false;
  for (int c = 0; c < jpeg.num_components; ++c)
    for (const int bits : jpeg.coef_bits[c])  // not known yet; -1: all of them
      if (bits != 0) return true;
  return false;
}

/// Whether libjpeg decodes parts of it as it decodes all. Where a colour has a line for four and
/// another for two, its jpeg_skip_scanlines loses its way, at worst forever.
bool has_parts(const jpeg_decompress_struct& jpeg) {
  return jpeg.out_color_space != JCS_CMYK && jpeg.max_v_samp_factor <= 2 && !is_smoothed(jpeg);
}

/// Whether decoding `box` alone, with what lies around it, saves more than it costs.
bool is_worthwhile(const PixelBox& box, int64_t height, int64_t width) {
  const int64_t pixels = (box.bottom - box.top) * (box.right - box.left);
  return pixels > 0 && pixels * 10 < height * width * 9;
}

}  // namespace

bool is_jpeg(std::span<const std::byte> file) {
  return file.size() >= 3 && file[0] == std::byte{0xFF} && file[1] == std::byte{0xD8} &&
         file[2] == std::byte{0xFF};
}

Tensor decode_jpeg(std::span<const std::byte> file, int64_t max_pixels,
                   const PixelsWanted& wanted) {
  Reader reader(file);
  if (!reader.read_header()) reader.throw_error();
  const auto width = static_cast<int64_t>(reader.jpeg.image_width);
  const auto height = static_cast<int64_t>(reader.jpeg.image_height);
  check_pixels(width, height, max_pixels);
  require_valid(reader.jpeg.arith_code || width * height / kPixelsPerByte <= std::ssize(file),
                "a picture of {}×{} pixels in {} bytes of JPEG: the file is cut", width, height,
                file.size());
  if (!reader.start()) reader.throw_error();
  const auto [box, place] = wanted ? wanted({DType::kU8, {height, width, 3}}) : PixelsUse{};
  Tensor pixels = place.is_defined() ? place : new_picture(height, width);
  uint8_t* out = pixels.mutable_data<uint8_t>().data();
  const auto line_bytes = static_cast<size_t>(3 * width);
  if (box && is_worthwhile(*box, height, width) && has_parts(reader.jpeg)) {
    std::vector<uint8_t> line(line_bytes);
    if (!reader.read_part(out, line_bytes, *box, line.data())) reader.throw_error();
  } else if (reader.jpeg.out_color_space != JCS_CMYK) {
    if (!reader.read_lines(out, line_bytes, height)) reader.throw_error();
  } else {
    std::vector<uint8_t> line(static_cast<size_t>(4 * width));
    for (int64_t y = 0; y < height; ++y, out += line_bytes) {
      if (!reader.read_lines(line.data(), line.size(), 1)) reader.throw_error();
      convert_cmyk(line, out, reader.jpeg.saw_Adobe_marker != 0);
    }
  }
  // A progressive picture may lack whole scans where a sequential one lacks its end mark only.
  if (reader.ended && reader.jpeg.progressive_mode != 0) reader.throw_error();
  return pixels;
}

}  // namespace tessera::internal
