// Pictures in files, as rows: JPEG, PNG, BMP and PGM (binary), and arrays of them in IDX and .npy.
// The content decides the format, not the name.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tessera/data/row_source.h"

namespace tessera {

/// The picture in a file: u8 [h,w,3], as MindSpore's Decode gives it. Grey becomes three equal
/// channels, transparency and the orientation in EXIF are ignored, 16-bit samples keep their upper
/// byte. Throws kUnsupported for other formats and more than `max_pixels`, kCorruptData with the
/// byte. Pixels that are not `wanted` (all are where it is null) may hold anything.
Tensor read_picture(const std::filesystem::path& path, int64_t max_pixels = kMaxPixels,
                    const PixelsWanted& wanted = nullptr);

struct ImageFile {
  std::filesystem::path path;
  int32_t label = kNoLabel;
};

/// The pictures below `folder`, sorted by path; folders below it too where `deep`. A picture is
/// what its suffix says: jpg, jpeg, jpe, jfif, png, bmp, pgm, or that of a format which is refused
/// when it is read. `left_out` counts the other files. Throws kNotFound where there is no folder.
std::vector<ImageFile> find_pictures(const std::filesystem::path& folder, bool deep,
                                     int64_t& left_out);

/// Rows decoded when they are asked for, each named by its path.
std::shared_ptr<const RowSource> open_pictures(std::string name, std::vector<ImageFile> files,
                                               std::vector<std::string> class_names,
                                               const RowsOptions& options,
                                               std::vector<std::string> notes);

/// Rows of the pictures in `paths`, without labels: files of one picture, decoded when asked for,
/// folders of such files, and arrays u8 in IDX or .npy of [h,w], [h,w,1|3], [n,h,w] or [n,h,w,1|3],
/// whose rows are [h,w,1|3]. Throws kNotFound for a path that is not there.
std::shared_ptr<const RowSource> open_images(std::span<const std::filesystem::path> paths,
                                             const RowsOptions& options = {});

}  // namespace tessera
