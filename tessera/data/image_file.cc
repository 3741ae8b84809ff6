#include "tessera/data/image_file.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <optional>
#include <utility>

#include "tessera/base/text.h"
#include "tessera/data/internal/idx.h"
#include "tessera/data/internal/png.h"
#include "tessera/data/npy_file.h"
#include "tessera/io/file.h"

namespace tessera {
namespace {

using Bytes = std::span<const std::byte>;
constexpr uint64_t kMaxFile = uint64_t{1} << 28;

std::vector<std::byte> read_file(const std::filesystem::path& path) {
  const auto file = local_file_system().open(path);
  require(file->size() <= kMaxFile, "{} has {}, a picture has {} at most", path.string(),
          human_bytes(file->size()), human_bytes(kMaxFile));
  std::vector<std::byte> content(file->size());
  file->read(0, content);
  return content;
}

std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// One number of a PGM header; comments run from # to the end of the line.
int64_t pgm_number(std::string_view text, size_t& at) {
  const auto is_space = [&] { return std::isspace(static_cast<unsigned char>(text[at])) != 0; };
  while (at < text.size() && (is_space() || text[at] == '#'))
    at = text[at] == '#' ? std::min(text.find('\n', at), text.size()) : at + 1;
  const size_t begin = at;
  while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0) ++at;
  const auto number = parse_int(text.substr(begin, at - begin));
  require_valid(number && *number > 0 && *number <= internal::kMaxImagePixels,
                "byte {} of the PGM header gives no size or largest value", begin);
  return *number;
}

Tensor decode_pgm(Bytes file) {
  const std::string_view text = as_text(file);
  size_t at = 2;
  const int64_t width = pgm_number(text, at);
  const int64_t height = pgm_number(text, at);
  const int64_t largest = pgm_number(text, at);
  if (largest > 255) fail(ErrorCode::kUnsupported, "PGM with values up to {}, not 255", largest);
  require_valid(width <= internal::kMaxImagePixels / height, "a PGM picture of {}×{}", width,
                height);
  ++at;  // one white space
  const auto pixels = static_cast<size_t>(width * height);
  require_valid(at <= file.size() && file.size() - at >= pixels,
                "PGM of {}×{} needs {} bytes from byte {} on, the file has {}", width, height,
                pixels, at, file.size());
  Tensor tensor(DType::kU8, {height, width, 1});
  const auto out = tensor.mutable_data<uint8_t>();
  for (size_t i = 0; i < pixels; ++i)
    out[i] = static_cast<uint8_t>(std::to_integer<int64_t>(file[at + i]) * 255 / largest);
  return tensor;
}

/// The pictures in a .npy file.
Tensor decode_pictures(Bytes file) {
  Tensor tensor = decode_npy(file);
  if (tensor.dtype() != DType::kU8)
    fail(ErrorCode::kUnsupported, "pictures in .npy are uint8 in C order, found {}",
         describe(tensor));
  return tensor;
}

/// [h,w,3] to [h,w,1] by OpenCV's integer weights for 8 bits.
Tensor to_grey(const Tensor& pixels) {
  if (pixels.shape()[2] == 1) return pixels;
  Tensor grey(DType::kU8, {pixels.shape()[0], pixels.shape()[1], 1});
  const auto from = pixels.data<uint8_t>();
  const auto to = grey.mutable_data<uint8_t>();
  for (size_t i = 0; i < to.size(); ++i)
    to[i] = static_cast<uint8_t>(
        (from[3 * i] * 9798 + from[3 * i + 1] * 19235 + from[3 * i + 2] * 3735 + (1 << 14)) >> 15);
  return grey;
}

/// The pictures of an array [h,w], [h,w,1] or [n,h,w] (and [n,h,w,1]).
std::vector<Tensor> pictures_of(const Tensor& array) {
  Shape shape = array.shape();
  if (shape.size() > 2 && shape.back() == 1) shape.pop_back();
  if (shape.size() == 2) shape.insert(0, 1);
  if (shape.size() != 3)
    fail(ErrorCode::kUnsupported, "{} is no picture [h,w] or pictures [n,h,w]", describe(array));
  require_valid(element_count(shape) > 0, "{} has no pixels", describe(array));
  std::vector<Tensor> pictures;
  const int64_t bytes = shape[1] * shape[2];
  for (int64_t i = 0; i < shape[0]; ++i)
    pictures.push_back(Tensor::view(array.buffer(), array.byte_offset() + i * bytes, DType::kU8,
                                    {shape[1], shape[2], 1}));
  return pictures;
}

class Images final : public RowSource {
 public:
  explicit Images(std::vector<Tensor> images) : images_(std::move(images)) {}
  const std::string& name() const override { return name_; }
  int64_t size() const override { return static_cast<int64_t>(images_.size()); }
  Row row(int64_t index) const override {
    require(index >= 0 && index < size(), "there are {} images, not one numbered {}", size(),
            index);
    return {images_[static_cast<size_t>(index)], kNoLabel};
  }
  bool has_labels() const override { return false; }

 private:
  std::string name_ = "the images";
  std::vector<Tensor> images_;
};

/// What a file of another kind is, where its first bytes tell.
std::string_view foreign_kind(std::string_view text) {
  constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
      {"\xFF\xD8\xFF", "a JPEG"},
      {"BM", "a BMP"},
      {"GIF8", "a GIF"},
      {std::string_view("II*\0", 4), "a TIFF"},
      {std::string_view("MM\0*", 4), "a TIFF"},
      {"P2", "a PGM written as text"},
      {"P6", "a PPM"},
  };
  for (const auto& [begin, kind] : kKinds)
    if (text.starts_with(begin)) return kind;
  if (text.starts_with("RIFF") && text.substr(0, 12).ends_with("WEBP")) return "a WebP";
  return {};
}

}  // namespace

std::vector<Tensor> read_images(const std::filesystem::path& path) {
  const ErrorContext context([&] { return fmt::format("reading picture {}", path.string()); });
  const std::vector<std::byte> file = read_file(path);
  const std::string_view text = as_text(file);
  if (internal::is_png(file)) return {to_grey(internal::decode_png(file))};
  if (text.starts_with("P5")) return {decode_pgm(file)};
  if (text.starts_with("\x93NUMPY")) return pictures_of(decode_pictures(file));
  const bool is_idx = file.size() > 4 && text[0] == 0 && text[1] == 0;
  const bool is_gzip = text.starts_with("\x1F\x8B");
  if (is_idx || is_gzip) return pictures_of(internal::read_idx(path));
  const std::string_view kind = foreign_kind(text);
  const std::string found = kind.empty()
                                ? fmt::format("it begins with '{}'", printable(text.substr(0, 8)))
                                : fmt::format("it is {}", kind);
  fail(ErrorCode::kUnsupported, "{}; PNG, binary PGM, IDX and .npy are read", found);
}

std::shared_ptr<const RowSource> open_images(std::span<const std::filesystem::path> paths) {
  std::vector<Tensor> images;
  for (const auto& path : paths)
    for (Tensor& image : read_images(path)) images.push_back(std::move(image));
  return std::make_shared<Images>(std::move(images));
}

}  // namespace tessera
