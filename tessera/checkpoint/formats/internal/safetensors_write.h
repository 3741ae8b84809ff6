// Writing safetensors files as MindSpore 2.10 (with the safetensors package) writes them.
#pragma once

#include <span>

#include "tessera/checkpoint/format.h"
#include "tessera/checkpoint/writer.h"

namespace tessera::internal {

/// Where every byte lies. Produces the tensors where the options ask for a CRC.
FileImage safetensors_image(std::span<const SaveEntry> entries, const WriteOptions& options);
void write_safetensors(std::span<const SaveEntry> entries, const WriteOptions& options,
                       WritableFile& file);

/// MindSpore sums `bytes(array)`, which for an integer array without dims gives as many zero bytes
/// as its value says instead of the value's own bytes. Its loader does the same, so the sum has to.
bool is_integer_scalar(DType dtype, const Shape& shape);
/// The sum over such a scalar; over its own bytes where MindSpore could not (negative or huge).
uint32_t crc_of_integer_scalar(uint32_t before, DType dtype, std::span<const std::byte> value);

}  // namespace tessera::internal
