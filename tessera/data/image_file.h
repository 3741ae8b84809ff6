// Pictures in files, as rows for prediction: PNG, PGM (binary), IDX and .npy.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "tessera/data/row_source.h"

namespace tessera {

/// The grey pictures in `path`, each u8 [h,w,1]: one of a PNG or PGM file, one or more of an IDX
/// ([h,w] or [n,h,w]) or .npy file ([h,w], [h,w,1] or [n,h,w,1]). The content decides the format,
/// not the name. Colours become grey as 0.299 red + 0.587 green + 0.114 blue; transparency is
/// ignored. Throws kUnsupported for other formats and more than 2^26 pixels.
std::vector<Tensor> read_images(const std::filesystem::path& path);

/// Rows of the pictures in `paths`, without labels.
std::shared_ptr<const RowSource> open_images(std::span<const std::filesystem::path> paths);

}  // namespace tessera
