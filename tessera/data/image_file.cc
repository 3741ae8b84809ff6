#include "tessera/data/image_file.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include "tessera/base/text.h"
#include "tessera/data/internal/idx.h"
#include "tessera/data/internal/picture.h"
#include "tessera/data/npy_file.h"
#include "tessera/data/reading/spare_buffers.h"
#include "tessera/io/file.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
constexpr uint64_t kMaxFile = uint64_t{1} << 30;

/// Rows of an array as pictures: [h,w], [h,w,1|3], [n,h,w] or [n,h,w,1|3].
std::vector<Tensor> pictures_of(const Tensor& array) {
  if (array.dtype() != DType::kU8)
    fail(ErrorCode::kUnsupported, "pictures in arrays are u8, found {}", describe(array));
  Shape shape = array.shape();
  const bool has_channels = shape.size() > 2 && (shape.back() == 1 || shape.back() == 3);
  if (!has_channels) shape.push_back(1);
  if (shape.size() == 3) shape.insert(0, 1);
  if (shape.size() != 4)
    fail(ErrorCode::kUnsupported,
         "{} is no picture [h,w], [h,w,1], [h,w,3], and no pictures [n,h,w], [n,h,w,1], [n,h,w,3]",
         describe(array));
  require_valid(element_count(shape) > 0, "{} has no pixels", describe(array));
  std::vector<Tensor> pictures;
  const Shape row(shape.begin() + 1, shape.end());
  const int64_t bytes = element_count(row);
  for (int64_t i = 0; i < shape[0]; ++i)
    pictures.push_back(
        Tensor::view(array.buffer(), array.byte_offset() + i * bytes, DType::kU8, row));
  return pictures;
}

/// The array in `path`, or nothing (an empty shape) where it is no array.
std::vector<Tensor> arrays_in(const fs::path& path) {
  const auto file = local_file_system().open(path);
  std::array<std::byte, 6> head{};
  const size_t count = std::min<size_t>(head.size(), file->size());
  file->read(0, std::span(head).first(count));
  const std::string_view text(reinterpret_cast<const char*>(head.data()), count);
  if (text.starts_with("\x93NUMPY")) return pictures_of(read_npy(path));
  const bool is_idx = count > 4 && text[0] == 0 && text[1] == 0 && text[2] != 0;
  if (is_idx || text.starts_with("\x1F\x8B")) return pictures_of(internal::read_idx(path));
  return {};
}

/// Pictures in files and in memory.
class Images final : public RowSource {
 public:
  struct Image {
    fs::path path;
    std::string name;
    std::optional<Tensor> pixels = {};  // none: decoded from the file
    int32_t label = kNoLabel;
  };

  Images(std::string name, std::vector<Image> images, const RowsOptions& options)
      : name_(std::move(name)), images_(std::move(images)), max_pixels_(options.max_pixels) {
    has_labels_ = std::any_of(images_.begin(), images_.end(),
                              [](const Image& image) { return image.label != kNoLabel; });
  }
  void set_class_names(std::vector<std::string> names) { class_names_ = std::move(names); }
  void set_notes(std::vector<std::string> notes) { notes_ = std::move(notes); }

  const std::string& name() const override { return name_; }
  int64_t size() const override { return std::ssize(images_); }
  bool has_labels() const override { return has_labels_; }
  std::span<const std::string> class_names() const override { return class_names_; }
  std::string row_name(int64_t index) const override { return at(index).name; }
  std::vector<std::string> notes() const override { return notes_; }
  Row row(int64_t index) const override { return row_part(index, nullptr); }
  Row row_part(int64_t index, const PixelsWanted& wanted) const override {
    const Image& image = at(index);
    return {image.pixels ? *image.pixels : read_picture(image.path, max_pixels_, wanted),
            image.label};
  }

 private:
  const Image& at(int64_t index) const {
    require(index >= 0 && index < size(), "{} has rows 0 to {}, not {}", name_, size() - 1, index);
    return images_[static_cast<size_t>(index)];
  }

  std::string name_;
  std::vector<Image> images_;
  int64_t max_pixels_;
  bool has_labels_ = false;
  std::vector<std::string> class_names_;
  std::vector<std::string> notes_;
};

bool is_picture_name(const std::string& name) {
  constexpr std::array<std::string_view, 13> kSuffixes = {
      ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".pgm",
      // Refused with their names when they are read.
      ".gif", ".tif", ".tiff", ".webp", ".ppm", ".heic"};
  std::string suffix = fs::path(name).extension().string();
  for (char& c : suffix) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::find(kSuffixes.begin(), kSuffixes.end(), suffix) != kSuffixes.end();
}

void collect(const fs::path& folder, int levels, std::vector<ImageFile>& files, int64_t& left_out) {
  std::vector<std::string> names = local_file_system().list(folder);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const fs::path path = folder / name;
    if (!local_file_system().is_folder(path)) {
      is_picture_name(name) ? files.push_back({path}) : void(++left_out);
    } else if (levels > 0) {
      collect(path, levels - 1, files, left_out);
    }
  }
}

}  // namespace

Tensor read_picture(const fs::path& path, int64_t max_pixels, const PixelsWanted& wanted) {
  const ErrorContext context([&] { return fmt::format("reading picture {}", path.string()); });
  const auto file = local_file_system().open(path);
  require(file->size() <= kMaxFile, "it has {}, a picture has {} at most",
          human_bytes(file->size()), human_bytes(kMaxFile));
  constexpr int64_t kMostKept = int64_t{4} << 20;
  thread_local internal::SpareBuffers spare(kMostKept, 1);
  const std::shared_ptr<Buffer> memory = spare.buffer(static_cast<int64_t>(file->size()));
  const std::span<std::byte> content(memory->mutable_data(), file->size());
  file->read(0, content);
  return internal::decode_picture(content, max_pixels, wanted);
}

std::vector<ImageFile> find_pictures(const fs::path& folder, bool deep, int64_t& left_out) {
  constexpr int kLevels = 16;
  if (!local_file_system().is_folder(folder))
    fail(ErrorCode::kNotFound, "there is no folder {}", folder.string());
  std::vector<ImageFile> files;
  collect(folder, deep ? kLevels : 0, files, left_out);
  return files;
}

std::shared_ptr<const RowSource> open_pictures(std::string name, std::vector<ImageFile> files,
                                               std::vector<std::string> class_names,
                                               const RowsOptions& options,
                                               std::vector<std::string> notes) {
  std::vector<Images::Image> images;
  for (ImageFile& file : files) {
    std::string path = file.path.string();
    images.push_back({std::move(file.path), std::move(path), {}, file.label});
  }
  auto source = std::make_shared<Images>(std::move(name), std::move(images), options);
  source->set_class_names(std::move(class_names));
  source->set_notes(std::move(notes));
  return source;
}

std::shared_ptr<const RowSource> open_images(std::span<const fs::path> paths,
                                             const RowsOptions& options) {
  std::vector<Images::Image> images;
  std::vector<std::string> notes;
  for (const fs::path& path : paths) {
    const ErrorContext context([&] { return fmt::format("reading picture {}", path.string()); });
    if (local_file_system().is_folder(path)) {
      int64_t left_out = 0;
      for (const ImageFile& file : find_pictures(path, false, left_out))
        images.push_back({file.path, file.path.string()});
      if (left_out > 0)
        notes.push_back(fmt::format("{} files in {} are no pictures", left_out, path.string()));
      if (images.empty())
        fail(ErrorCode::kNotFound,
             "the folder holds no pictures; folders of classes are "
             "--data folder:DIR");
      continue;
    }
    const std::vector<Tensor> arrays = arrays_in(path);
    if (arrays.empty()) images.push_back({path, path.string()});
    for (size_t i = 0; i < arrays.size(); ++i)
      images.push_back(
          {path, arrays.size() == 1 ? path.string() : fmt::format("{} row {}", path.string(), i),
           arrays[i]});
  }
  auto source = std::make_shared<Images>("the images", std::move(images), options);
  source->set_notes(std::move(notes));
  return source;
}

}  // namespace tessera
