// Writing a .ckpt with the bytes that MindSpore 2.10 writes for the same content.
#pragma once

#include <span>

#include "tessera/checkpoint/writer.h"

namespace tessera::internal {

void write_ckpt(std::span<const SaveEntry> entries, const WriteOptions& options,
                WritableFile& file);

}  // namespace tessera::internal
