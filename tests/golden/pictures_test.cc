// Pixels as MindSpore 2.10 computes them: of the small pictures in tests/corpora and of formulas
// (tests/golden/make_pictures.py), and of the pictures and data sets in ../shared/data.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tessera/data/image_file.h"
#include "tessera/data/pipeline.h"
#include "tessera/io/crc.h"
#include "tessera/io/crypto.h"
#include "tessera/io/json.h"
#include "tests/support/npy.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

using testing::shared_data;
using testing::source_dir;

/// The one row `pixels`.
class OneRow final : public RowSource {
 public:
  explicit OneRow(Tensor pixels) : pixels_(std::move(pixels)) {}
  const std::string& name() const override { return name_; }
  int64_t size() const override { return 1; }
  Row row(int64_t /*index*/) const override { return {pixels_, kNoLabel}; }

 private:
  std::string name_ = "one";
  Tensor pixels_;
};

Tensor transformed(std::string_view transforms, const Tensor& pixels) {
  Pipeline rows = Pipeline(std::make_shared<OneRow>(pixels)).map(transforms).prefetch(0);
  const Tensor batch = rows.next()->data;
  return Tensor::view(batch.buffer(), batch.byte_offset(), batch.dtype(),
                      Shape(batch.shape().begin() + 1, batch.shape().end()));
}

Tensor formula_picture(const Shape& shape) {
  Tensor picture(DType::kU8, shape);
  uint64_t i = 0;
  for (uint8_t& value : picture.mutable_data<uint8_t>()) {
    value = static_cast<uint8_t>((i * i * 31 + i * 7 + 13) / 8);
    ++i;
  }
  return picture;
}

std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Pictures, EveryKindIsDecodedAsMindSporeDecodesIt) {
  std::ifstream cases(source_dir() / "tests/golden/pictures/decoded.txt");
  int count = 0;
  for (std::string name; cases >> name; ++count) {
    std::string height;
    std::string width;
    std::string crc;
    cases >> height >> width >> crc;
    const auto path = source_dir() / "tests/corpora" / name;
    const Tensor pixels = read_picture(path);
    EXPECT_EQ(describe(pixels), fmt::format("u8[{},{},3]", height, width)) << name;
    EXPECT_EQ(fmt::format("{:08x}", crc32(0, pixels.bytes())), crc) << name;
  }
  EXPECT_GT(count, 40);
}

TEST(Pictures, ResizeAndCenterCropGiveMindSporesBytes) {
  std::ifstream cases(source_dir() / "tests/golden/pictures/resized.txt");
  int count = 0;
  for (std::string text; cases >> text; ++count) {
    Shape from{0, 0, 0};
    Shape to{0, 0, 0};
    std::string crc;
    for (int64_t& extent : from) cases >> extent;
    for (int64_t& extent : to) cases >> extent;
    cases >> crc;
    const Tensor out = transformed(text, formula_picture(from));
    ASSERT_EQ(to_string(out.shape()), to_string(to)) << text << to_string(from);
    ASSERT_EQ(fmt::format("{:08x}", crc32(0, out.bytes())), crc) << text << to_string(from);
  }
  EXPECT_GT(count, 900);
}

TEST(Pictures, TheRecordedPicturesGoThroughTheImageNetRecipeAsInMindSpore) {
  TESSERA_NEEDS_SHARED_DATA();
  const auto folder = shared_data() / "mindspore/dataset";
  const Json recorded = parse_json(file_text(folder / "dataset.json"), {});
  const auto arrays = testing::read_npz(folder / "dataset.npz");
  const std::pair<const char*, const char*> cases[] = {{"img0.png", "img0_png"},
                                                       {"img1.jpg", "img1_jpg"},
                                                       {"img2.jpg", "img2_jpg"},
                                                       {"img3.png", "img3_png"}};
  for (const auto& [file, array] : cases) {
    const Json& wanted = recorded.at(file);
    const Tensor pixels = read_picture(folder / "images" / file);
    EXPECT_EQ(sha256_hex(pixels.bytes()), wanted.at("decoded_sha256").as_string()) << file;
    const Tensor resized = transformed("resize(256)", pixels);
    EXPECT_EQ(sha256_hex(resized.bytes()), wanted.at("resized_sha256").as_string()) << file;
    const Tensor cropped = transformed("resize(256) center_crop(224)", pixels);
    const Tensor& crop = arrays.at(std::string(array) + "_centercrop224_u8");
    EXPECT_EQ(sha256_hex(cropped.bytes()), sha256_hex(crop.bytes())) << file;
    // Bit for bit, as floats: mean and deviation are MindSpore's usual ones of ImageNet times 255.
    const Tensor whole = transformed(
        "resize(256) center_crop(224) normalize([0.485*255,0.456*255,0.406*255],"
        "[0.229*255,0.224*255,0.225*255]) to_chw",
        pixels);
    EXPECT_EQ(sha256_hex(whole.bytes()), wanted.at("final_sha256").as_string()) << file;
  }
}

TEST(Pictures, RecordedMnistImagesAreResizedByEveryRule) {
  TESSERA_NEEDS_SHARED_DATA();
  const auto arrays = testing::read_npz(shared_data() / "mindspore/dataset/dataset.npz");
  const Tensor& raw = arrays.at("mnist_raw_u8");
  const std::pair<const char*, const char*> cases[] = {
      {"resize(20,40,nearest)", "mnist_resize_nearest_20x40"},
      {"resize(40,40,cubic)", "mnist_resize_bicubic_40x40"},
      {"resize(14,14,area)", "mnist_resize_area_14x14"},
      {"resize(56,56,linear)", "mnist_resize_linear_56x56"},
      {"resize(13,17)", "mnist_resize_linear_13x17"}};
  for (const auto& [transforms, name] : cases)
    for (int64_t i = 0; i < 8; ++i) {
      const Tensor row =
          Tensor::view(raw.buffer(), raw.byte_offset() + i * 784, DType::kU8, {28, 28, 1});
      const Tensor out = transformed(transforms, row);
      const int64_t bytes = out.byte_count();
      EXPECT_EQ(sha256_hex(out.bytes()),
                sha256_hex(arrays.at(name).bytes().subspan(static_cast<size_t>(i * bytes),
                                                           static_cast<size_t>(bytes))))
          << name << " " << i;
    }
}

TEST(Pictures, RecordedCifarImagesGoThroughTheTutorialsRecipe) {
  TESSERA_NEEDS_SHARED_DATA();
  const Json recorded = parse_json(file_text(shared_data() / "mindspore/dataset/dataset.json"), {});
  const Pipeline rows(open_rows("cifar10:" + (shared_data() / "cifar10").string()));
  Pipeline resized = rows.map("resize(224,224)").limit(8);
  Pipeline whole =
      resized.map("rescale(1/255) normalize([.4914,.4822,.4465],[.2023,.1994,.2010]) to_chw");
  const auto& resized_sums = recorded.at("cifar_resized_sha256_of_each_image_uint8_HWC").items();
  const auto& whole_sums = recorded.at("cifar_full_sha256_of_each_image_float32_CHW").items();
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(sha256_hex(resized.next()->data.bytes()), resized_sums[i].as_string()) << i;
    EXPECT_EQ(sha256_hex(whole.next()->data.bytes()), whole_sums[i].as_string()) << i;
  }
}

}  // namespace
}  // namespace tessera
