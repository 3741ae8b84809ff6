// MNIST and what is stored like it (Fashion-MNIST, the digits of examples/digits): four IDX files,
// packed with gzip or not, in one folder or in folders train and test.
#include <array>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "tessera/base/text.h"
#include "tessera/data/internal/idx.h"
#include "tessera/data/row_source.h"
#include "tessera/io/file.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

class Mnist final : public RowSource {
 public:
  Mnist(std::string name, const fs::path& images, const fs::path& labels)
      : name_(std::move(name)),
        images_(internal::read_idx(images, {3, "images (rows, height, width)"})),
        labels_(internal::read_idx(labels, {1, "labels"})) {
    require_valid(images_.shape()[0] == labels_.shape()[0], "{} has {} images, {} has {} labels",
                  images.string(), images_.shape()[0], labels.string(), labels_.shape()[0]);
    row_shape_ = {images_.shape()[1], images_.shape()[2], 1};
    row_bytes_ = element_count(row_shape_);
  }

  const std::string& name() const override { return name_; }
  int64_t size() const override { return labels_.shape()[0]; }
  Row row(int64_t index) const override {
    require(index >= 0 && index < size(), "{} has rows 0 to {}, not {}", name_, size() - 1, index);
    return {Tensor::view(images_.buffer(), images_.byte_offset() + index * row_bytes_, DType::kU8,
                         row_shape_),
            labels_.data<uint8_t>()[static_cast<size_t>(index)]};
  }
  std::optional<RowView> look(int64_t index) const override {
    return RowView{images_.bytes().subspan(static_cast<size_t>(index * row_bytes_),
                                           static_cast<size_t>(row_bytes_)),
                   labels_.data<uint8_t>()[static_cast<size_t>(index)]};
  }

 private:
  std::string name_;
  Tensor images_;
  Tensor labels_;
  Shape row_shape_;
  int64_t row_bytes_ = 0;
};

struct Files {
  fs::path images;
  fs::path labels;
};

/// The parts as the notation and as the files call them.
struct Part {
  std::string_view name;
  std::string_view prefix;
};
constexpr Part kTest{"test", "t10k"};
constexpr Part kTrain{"train", "train"};

/// The file of one kind, under the names in use: t10k-images-idx3-ubyte, t10k-images.idx3-ubyte,
/// each with .gz or without.
std::optional<fs::path> find_file(const fs::path& folder, std::string_view prefix,
                                  std::string_view kind) {
  for (const char separator : {'-', '.'})
    for (const std::string_view suffix : {"", ".gz"}) {
      const std::string type = kind == "images" ? "idx3" : "idx1";
      fs::path path =
          folder / fmt::format("{}-{}{}{}-ubyte{}", prefix, kind, separator, type, suffix);
      if (local_file_system().exists(path)) return path;
    }
  return std::nullopt;
}

std::optional<Files> find_part(const fs::path& folder, const Part& part) {
  const auto images = find_file(folder, part.prefix, "images");
  const auto labels = find_file(folder, part.prefix, "labels");
  if (!images && !labels) return std::nullopt;
  if (!images || !labels)
    fail(ErrorCode::kNotFound, "{} holds {} but no {}-{}-ubyte[.gz]", folder.string(),
         (images ? *images : *labels).filename().string(), part.prefix,
         images ? "labels-idx1" : "images-idx3");
  return Files{*images, *labels};
}

/// `place` is a folder, or a folder followed by /train or /test; without a part, test comes first.
Files find_files(const fs::path& place) {
  const fs::path folder = place.has_filename() ? place : place.parent_path();
  const bool named_train = folder.filename() == kTrain.name;
  const bool named_test = folder.filename() == kTest.name;
  std::vector<Part> parts;
  if (!named_train) parts.push_back(kTest);
  if (!named_test) parts.push_back(kTrain);

  std::vector<std::string> looked_for;
  const auto look = [&](const fs::path& where) -> std::optional<Files> {
    for (const Part& part : parts) {
      if (auto files = find_part(where, part)) return files;
      looked_for.push_back(
          fmt::format("{}/{}-images-idx3-ubyte[.gz]", where.string(), part.prefix));
    }
    return std::nullopt;
  };
  if (auto files = look(folder)) return *files;
  if (named_train || named_test) {
    if (auto files = look(folder.parent_path())) return *files;
  } else {
    for (const Part& part : {kTest, kTrain})
      if (auto files = find_part(folder / part.name, part)) return *files;
    looked_for.push_back(
        fmt::format("the same in {}/test and {}/train", folder.string(), folder.string()));
  }
  fail(ErrorCode::kNotFound, "no MNIST files there; looked for {}, each with its labels-idx1-ubyte",
       join(looked_for, ", "));
}

std::shared_ptr<const RowSource> open_mnist(std::string_view place,
                                            const RowsOptions& /*options*/) {
  require(!trim(place).empty(), "mnist needs a folder: mnist:DIR");
  const Files files = find_files(fs::path(place));
  return std::make_shared<Mnist>(fmt::format("mnist:{}", place), files.images, files.labels);
}

}  // namespace

RowSourceDef source_mnist() {
  return {.notation = "mnist:DIR[/train|/test]",
          .doc = "MNIST's IDX files, gz or not; test where DIR holds both and none is named",
          .open = open_mnist};
}

}  // namespace tessera
