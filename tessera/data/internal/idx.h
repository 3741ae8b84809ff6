// IDX, the format of MNIST's files: two zero bytes, a type code (8: unsigned byte), the number of
// dims, each extent as four bytes with the most significant first, then the elements in row-major
// order. A file may be packed with gzip.
#pragma once

#include <filesystem>
#include <string_view>

#include "tessera/tensor/tensor.h"

namespace tessera::internal {

/// What a file is to hold, for messages, and its number of dims (0: any).
struct IdxDims {
  int count = 0;
  std::string_view what = {};  // "images (rows, height, width)"
};

/// The u8 array in `path`. Throws kCorruptData when the header or the length is wrong, kUnsupported
/// for other types than unsigned bytes.
Tensor read_idx(const std::filesystem::path& path, const IdxDims& wanted = {});

}  // namespace tessera::internal
