#include "tessera/checkpoint/formats/internal/image.h"

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera::internal {

void ImageBuilder::add_fixed(std::string_view bytes) {
  std::vector<FileImage::Fixed>& fixed = image_.fixed;
  if (fixed.empty() || fixed.back().offset + fixed.back().bytes.size() != image_.size)
    fixed.push_back({image_.size, {}});
  fixed.back().bytes += bytes;
  image_.size += bytes.size();
}

void ImageBuilder::add_content(size_t entry, uint64_t begin, uint64_t size) {
  if (size == 0) return;
  image_.contents.push_back({entry, begin, {image_.size, size}});
  require(!__builtin_add_overflow(image_.size, size, &image_.size),
          "the file would have more than 2^64 bytes");
}

uint64_t content_size(const SaveEntry& entry) {
  const ErrorContext context([&] { return fmt::format("laying out '{}'", printable(entry.name)); });
  return static_cast<uint64_t>(checked_product(element_count(entry.shape), byte_size(entry.dtype)));
}

Tensor produce(const SaveEntry& entry) {
  Tensor tensor = entry.produce();
  require(tensor.dtype() == entry.dtype && tensor.shape() == entry.shape,
          "'{}' is {} but was announced as {}{}", printable(entry.name), describe(tensor),
          to_string(entry.dtype), to_string(entry.shape));
  return tensor;
}

void write_image(const FileImage& image, std::span<const SaveEntry> entries,
                 const std::function<void(std::span<const std::byte>)>& append) {
  size_t fixed = 0;
  const auto append_fixed_before = [&](uint64_t offset) {
    for (; fixed < image.fixed.size() && image.fixed[fixed].offset < offset; ++fixed)
      append(std::as_bytes(std::span(image.fixed[fixed].bytes)));
  };
  Tensor tensor;
  const SaveEntry* produced = nullptr;
  for (const FileImage::Content& content : image.contents) {
    append_fixed_before(content.bytes.offset);
    const SaveEntry* entry = &entries[content.entry];
    if (entry != produced) {
      tensor = {};
      tensor = produce(*entry);
      produced = entry;
    }
    append(tensor.bytes().subspan(content.begin, content.bytes.size));
  }
  append_fixed_before(image.size);
}

void require_independent_bytes(const WriteOptions& options) {
  if (!options.key.empty())
    fail(ErrorCode::kUnsupported, "an encrypted file can only be written from front to back");
  if (options.crc)
    fail(ErrorCode::kUnsupported, "a file with a CRC can only be written from front to back");
}

}  // namespace tessera::internal
