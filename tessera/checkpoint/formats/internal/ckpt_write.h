// Writing a .ckpt with the bytes that MindSpore 2.10 writes for the same content.
#pragma once

#include <span>

#include "tessera/checkpoint/format.h"
#include "tessera/checkpoint/writer.h"

namespace tessera::internal {

/// MindSpore cuts a parameter into entries of at most this many bytes of content.
constexpr uint64_t kCkptPiece = uint64_t{512} << 20;

/// Where every byte lies before a CRC or a cipher is added; `most` is at most so many bytes of
/// content in an entry.
FileImage ckpt_image(std::span<const SaveEntry> entries, const WriteOptions& options,
                     uint64_t most = kCkptPiece);
void write_ckpt(std::span<const SaveEntry> entries, const WriteOptions& options,
                WritableFile& file);

}  // namespace tessera::internal
