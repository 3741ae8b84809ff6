// Writes pictures as PNG, for pages and for looking at rows.
#pragma once

#include <string>
#include <vector>

#include "tessera/tensor/tensor.h"

namespace tessera {

/// A PNG of u8 pixels [h,w,1] or [h,w,3].
std::vector<std::byte> encode_png(const Tensor& pixels);

/// The same as a data URI, for the src of an image in HTML.
std::string png_uri(const Tensor& pixels);

/// The picture, made smaller by the mean of areas where its longer side is above `most`.
Tensor shrink(const Tensor& pixels, int64_t most);

}  // namespace tessera
