// The layout of a file that is to be written, built front to back, and the writing of it: what the
// formats' writers and their `image` share.
//
//   fixed [0,30)  content of entry 0 [30,70)  fixed [70,98)  content of entry 1 [98,106)
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "tessera/checkpoint/format.h"
#include "tessera/checkpoint/writer.h"

namespace tessera::internal {

class ImageBuilder {
 public:
  /// Known bytes; those that follow each other become one.
  void add_fixed(std::string_view bytes);
  /// `size` bytes of an entry's content from its byte `begin` on; none when `size` is 0.
  void add_content(size_t entry, uint64_t begin, uint64_t size);
  FileImage take() { return std::move(image_); }

 private:
  FileImage image_;
};

/// The bytes of a tensor entry's content. Throws kInvalidArgument when they are more than 2^63.
uint64_t content_size(const SaveEntry& entry);
/// Calls entry.produce and checks what it gives.
Tensor produce(const SaveEntry& entry);
/// Gives all bytes of the file to `append`, front to back; one tensor lives at a time.
void write_image(const FileImage& image, std::span<const SaveEntry> entries,
                 const std::function<void(std::span<const std::byte>)>& append);
/// Throws kUnsupported where the options ask for bytes that depend on each other.
void require_independent_bytes(const WriteOptions& options);

}  // namespace tessera::internal
