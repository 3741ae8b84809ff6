// IDX, the format of MNIST's files: two zero bytes, a type code (8: unsigned byte), the number of
// dims, each extent as four bytes with the most significant first, then the elements in row-major
// order. A file may be packed with gzip.
#pragma once

#include <filesystem>

#include "tessera/tensor/tensor.h"

namespace tessera::internal {

/// The u8 array in `path`. Throws kCorruptData when the header or the length is wrong, kUnsupported
/// for other types than unsigned bytes.
Tensor read_idx(const std::filesystem::path& path);

}  // namespace tessera::internal
