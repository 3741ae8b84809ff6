// NumPy's files of one array, .npy versions 1 to 3: row-major, little-endian, of the dtypes that
// both sides have. The format: numpy.org, "NPY format".
#pragma once

#include <filesystem>
#include <span>

#include "tessera/io/file.h"
#include "tessera/tensor/tensor.h"

namespace tessera {

/// Throws kCorruptData for a file that is cut or whose sizes contradict each other, kUnsupported
/// for big-endian, column-major or structured arrays, naming what was found.
Tensor decode_npy(std::span<const std::byte> file);
Tensor read_npy(const std::filesystem::path& path);
/// The file appears when it is complete. Throws kUnsupported for dtypes that NumPy has not (bf16,
/// packed 4-bit integers).
void write_npy(const Tensor& tensor, const std::filesystem::path& path);

}  // namespace tessera
