// Pixels against what MindSpore 2.10 computed: arrays recorded in ../shared/data, and CRC-32 sums
// that a Python script took of MindSpore's results for pictures whose bytes are a formula.
#include "tessera/data/transform.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tessera/data/internal/row_chain.h"
#include "tessera/data/pipeline.h"
#include "tessera/io/crc.h"
#include "tests/support/npy.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

constexpr const char* kMindSporeMnist =
    "resize(32,32) rescale(1/255) rescale(1/0.3081,-0.1307/0.3081) to_chw";

Tensor transformed(std::string_view transforms, const Tensor& row) {
  const internal::RowChain chain(parse_transforms(transforms), {row.dtype(), row.shape()});
  Tensor out(chain.result().dtype, chain.result().shape);
  internal::RowChain::Scratch scratch;
  chain.run(row.bytes(), out.mutable_bytes(), scratch);
  return out;
}

/// The same without joining steps: each transform by itself.
Tensor transformed_one_by_one(std::string_view transforms, Tensor row) {
  for (const Transform& transform : parse_transforms(transforms)) {
    const auto step = transform.def->bind(transform.arguments, {row.dtype(), row.shape()});
    Tensor out(step->result().dtype, step->result().shape);
    step->run(row.bytes(), out.mutable_bytes());
    row = out;
  }
  return row;
}

Tensor formula_picture(int64_t height, int64_t width, int64_t channels) {
  Tensor picture(DType::kU8, {height, width, channels});
  uint64_t i = 0;
  for (uint8_t& value : picture.mutable_data<uint8_t>()) {
    value = static_cast<uint8_t>((i * i * 31 + i * 7 + 13) / 8);
    ++i;
  }
  return picture;
}

bool same_bytes(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

Tensor element(const Tensor& all, int64_t index) {
  Shape shape = all.shape();
  shape.erase(0);
  return Tensor::view(all.buffer(), all.byte_offset() + index * all.byte_count() / all.shape()[0],
                      all.dtype(), shape);
}

TEST(Transforms, ResizeGivesMindSporesBytesForManySizes) {
  struct Case {
    int64_t height, width, channels, to_height, to_width;
    uint32_t linear, nearest;
  };
  constexpr Case kCases[] = {
      {28, 28, 1, 32, 32, 0x886E6FD8, 0xAD585254}, {28, 28, 1, 14, 14, 0xCA39457C, 0x62B3F9D8},
      {28, 28, 3, 14, 14, 0x7664E35D, 0xD8B1AD4E}, {32, 32, 3, 224, 224, 0xB9EC6656, 0x7CC1F65D},
      {40, 30, 3, 20, 30, 0xE5C77B53, 0x7E378279}, {1, 1, 1, 5, 7, 0xAF2D4B5B, 0xAF2D4B5B},
      {2, 3, 1, 1, 1, 0x99063BCA, 0xA505DF1B},     {17, 13, 3, 5, 40, 0x5139B380, 0xCA05D487},
      {100, 1, 1, 3, 3, 0x813A1F77, 0xEF13C65B},   {64, 48, 1, 63, 47, 0x54E34D3C, 0x7181D4E5},
      {9, 9, 4, 18, 18, 0x47C419D3, 0x7FF235C0},   {8, 6, 1, 4, 3, 0x16171B3D, 0x54134529},
      {8, 8, 3, 2, 2, 0x5C9B6C2A, 0xFE739DA1},
  };
  for (const Case& c : kCases) {
    const Tensor picture = formula_picture(c.height, c.width, c.channels);
    const std::string to = fmt::format("({},{}", c.to_height, c.to_width);
    EXPECT_EQ(crc32(0, transformed("resize" + to + ")", picture).bytes()), c.linear)
        << describe(picture) << to;
    EXPECT_EQ(crc32(0, transformed("resize" + to + ",nearest)", picture).bytes()), c.nearest)
        << describe(picture) << to;
  }
}

TEST(Transforms, RecordedPicturesComeOutAsMindSporeRecordedThem) {
  TESSERA_NEEDS_SHARED_DATA();
  const auto arrays = testing::read_npz(testing::shared_data() / "mindspore/dataset/dataset.npz");
  const std::pair<const char*, const char*> cases[] = {
      {"resize(32,32)", "mnist_resized32_u8"},
      {"resize(56,56)", "mnist_resize_linear_56x56"},
      {"resize(13,17)", "mnist_resize_linear_13x17"},
      {"resize(20,40,nearest)", "mnist_resize_nearest_20x40"},
      {kMindSporeMnist, "mnist_full"},
  };
  for (const auto& [transforms, name] : cases)
    for (int64_t i = 0; i < 8; ++i)
      EXPECT_TRUE(same_bytes(transformed(transforms, element(arrays.at("mnist_raw_u8"), i)).bytes(),
                             element(arrays.at(name), i).bytes()))
          << name << " " << i;
  const Tensor cifar = element(arrays.at("cifar_raw_u8"), 0);
  EXPECT_TRUE(same_bytes(
      transformed(
          "resize(224,224) rescale(1/255) normalize([.4914,.4822,.4465],[.2023,.1994,.2010]) "
          "to_chw",
          cifar)
          .bytes(),
      element(arrays.at("cifar_full_first1"), 0).bytes()));
}

// The sums are of what MindSpore 2.10 gave for all 10,000 test images.
TEST(Transforms, EveryImageOfMnistComesOutAsFromMindSpore) {
  TESSERA_NEEDS_SHARED_DATA();
  const Pipeline rows(open_rows("mnist:" + (testing::shared_data() / "mnist").string()));
  const auto sum = [&](std::string_view transforms) {
    Pipeline pipeline = rows.map(transforms).batch(1000);
    uint32_t crc = 0;
    while (const auto batch = pipeline.next()) crc = crc32(crc, batch->data.bytes());
    return crc;
  };
  EXPECT_EQ(sum("resize(32,32)"), 0xBE0488F9U);
  EXPECT_EQ(sum(kMindSporeMnist), 0xCFD66294U);
  EXPECT_EQ(sum("resize(32,32) rescale(1/255) normalize(0.1307,0.3081) to_chw"), 0x532E3F9EU);
}

TEST(Transforms, TheNearTieOfImage882IsResizedAsMindSporeResizesIt) {
  TESSERA_NEEDS_SHARED_DATA();
  const auto rows = open_rows("mnist:" + (testing::shared_data() / "mnist").string());
  const Tensor wanted =
      testing::read_npy(testing::shared_data() / "mindspore/lenet_eval/resized_uint8_image882.npy");
  EXPECT_TRUE(
      same_bytes(transformed("resize(32,32)", rows->row(882).data).bytes(), wanted.bytes()));
}

TEST(Transforms, JoiningStepsIntoATableChangesNoBit) {
  const Tensor grey = formula_picture(9, 7, 1);
  const Tensor colour = formula_picture(9, 7, 3);
  const Tensor even = formula_picture(20, 16, 3);
  for (const char* transforms :
       {"rescale(1/255) normalize(0.1307,0.3081) to_chw", "normalize(127,63)", "to_chw cast(f32)",
        "rescale(1/3,0.5) cast(f16) flatten", "cast(i64)", "flatten rescale(2)", "to_chw", "",
        "cast(u8) resize(3,3) cast(f64)", "resize(11,12) rescale(1/255) rescale(3,-1) cast(bf16)",
        "resize(64) center_crop(50) to_chw", "resize(15) center_crop(8,9) rescale(1/255) to_chw",
        "resize(31,40,nearest) center_crop(30)", "resize(31,40,cubic) center_crop(30)",
        "resize(5,6,area) center_crop(4)", "resize(8) center_crop(6)",
        "resize(18,14) center_crop(8) normalize(1,2) to_chw"})
    for (const Tensor& picture : {grey, colour, even}) {
      const Tensor joined = transformed(transforms, picture);
      const Tensor apart = transformed_one_by_one(transforms, picture);
      EXPECT_EQ(describe(joined), describe(apart)) << transforms;
      EXPECT_TRUE(same_bytes(joined.bytes(), apart.bytes())) << transforms;
    }
}

/// The picture with other values wherever `box` is not.
Tensor spoiled_outside(const Tensor& picture, const PixelBox& box) {
  Tensor spoiled = picture.clone();
  const Shape& shape = picture.shape();
  uint8_t* values = spoiled.mutable_data<uint8_t>().data();
  for (int64_t y = 0; y < shape[0]; ++y)
    for (int64_t x = 0; x < shape[1]; ++x)
      for (int64_t c = 0; c < shape[2]; ++c, ++values)
        if (y < box.top || y >= box.bottom || x < box.left || x >= box.right)
          *values = static_cast<uint8_t>(*values ^ 0xFF);
  return spoiled;
}

TEST(Transforms, PixelsThatAreNotNeededDoNotMatter) {
  int narrowed = 0;
  for (const auto& [height, width] : std::initializer_list<std::pair<int64_t, int64_t>>{
           {100, 140}, {375, 250}, {60, 300}, {31, 33}, {500, 400}})
    for (const char* how : {"linear", "nearest", "cubic", "area"})
      for (const char* recipe :
           {"resize(64,{}) center_crop(56) normalize([1,2,3],[4,5,6]) to_chw",
            "resize(256,{}) center_crop(224) to_chw", "resize(40,90,{}) center_crop(20,70)",
            "center_crop(30) resize(200,{}) center_crop(100)", "resize(50,{}) rescale(2)",
            "resize(20,{}) center_crop(90) to_chw", "resize(32,32,{}) to_grey center_crop(4)"}) {
        const Tensor picture = formula_picture(height, width, 3);
        const std::string transforms = fmt::format(fmt::runtime(recipe), how);
        const internal::RowChain chain(parse_transforms(transforms),
                                       {picture.dtype(), picture.shape()});
        if (!chain.needed()) continue;
        ++narrowed;
        const Tensor wanted = transformed(transforms, picture);
        const Tensor found = transformed(transforms, spoiled_outside(picture, *chain.needed()));
        EXPECT_TRUE(same_bytes(found.bytes(), wanted.bytes()))
            << transforms << " of " << height << "x" << width;
      }
  EXPECT_GT(narrowed, 80);
}

TEST(Transforms, ListsGiveEveryChannelItsOwnNumber) {
  const Tensor picture = Tensor::of(std::span<const uint8_t>({10, 20, 30, 40}), {1, 2, 2});
  const Tensor out = transformed("normalize([10,20],[2,5]) to_chw", picture);
  EXPECT_EQ(to_string(out), "f32[2,1,2] {0, 10, 0, 4}");
}

TEST(Transforms, TextIsReadAndPrintedBack) {
  const auto transforms =
      parse_transforms(" resize( 32,32 )rescale(1/255)\tnormalize([ 0.5, 1e-1],[1,2*3]) to_chw ");
  ASSERT_EQ(transforms.size(), 4U);
  EXPECT_EQ(to_string(transforms),
            "resize(32,32) rescale(1/255) normalize([0.5,1e-1],[1,2*3]) to_chw");
  EXPECT_EQ(parse_transforms(to_string(transforms)), transforms);
  EXPECT_EQ(transforms[1].arguments[0].numbers, std::vector<double>{1.0 / 255});
  EXPECT_EQ(transforms[2].arguments[1].numbers, (std::vector<double>{1, 6}));
  EXPECT_EQ(parse_transforms("rescale(-0.1307/0.3081)")[0].arguments[0].numbers[0],
            -0.1307 / 0.3081);
  EXPECT_TRUE(parse_transforms(" ").empty());
}

std::string error_of(std::string_view transforms, const Tensor& row = formula_picture(4, 4, 3)) {
  try {
    transformed(transforms, row);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Transforms, ErrorsInTheTextNameThePosition) {
  const std::pair<const char*, const char*> cases[] = {
      {"resize(32,32) normalise(1,2)", "'normalise' (position 14) (nearest: 'normalize')"},
      {"resize(32", "',' or ')' at position 9, found the end"},
      {"resize(32,)", "a number at position 10"},
      {"rescale(1/0)", "division by zero at position 10"},
      {"rescale(1..2)", "a number at position 8"},
      {"rescale(1 2)", "at position 10, found '2)'"},
      {"to_chw(1)", "to_chw got 1 arguments at position 0"},
      {"rescale", "it is written rescale(SCALE[,SHIFT])"},
      {"(3)", "expected a transform at position 0"},
      {"normalize([1,2,[3)", "at position 15"},
      {"rescale(1e999)", "a number at position 8"},
  };
  for (const auto& [text, part] : cases)
    EXPECT_NE(error_of(text).find(part), std::string::npos) << text << "\n" << error_of(text);
}

TEST(Transforms, ATransformThatDoesNotApplySaysToWhat) {
  const std::pair<const char*, const char*> cases[] = {
      {"flatten to_chw", "not on u8[48]"},
      {"to_chw resize(8,8)",
       "resize(8,8) (transform 2) works on rows [h,w,c], but to_chw (transform 1) has made them"},
      {"resize(8,8) to_chw cast(u8) resize(4,4,nearest)", "resize(4,4,nearest) (transform 4)"},
      {"to_chw rescale(2) to_chw", "to_chw (transform 3) works on rows [h,w,c], but to_chw"},
      {"normalize([1,2],[1,2])", "has 2 numbers, the rows have 3 channels"},
      {"normalize(1,0)", "above 0"},
      {"resize(0,8)", "whole number from 1"},
      {"resize(1.5,8)", "whole number from 1"},
      {"resize(8,8,lanczos)", "not 'lanczos'"},
      {"resize(linear)", "resize is written resize(SIZE)"},
      {"resize(8,8,8)", "resize is written resize(SIZE)"},
      {"cast(f64) resize(8,8)", "resize works on rows u8[h,w,c] or f32[h,w,c], not on f64[4,4,3]"},
      {"flatten center_crop(2)", "center_crop works on rows [h,w,c], not on u8[48]"},
      {"resize(8,8,linear,3)", "resize got 4 arguments"},
      {"rescale(2) to_grey", "to_grey works on rows u8[h,w,3]"},
      {"cast(f33)", "f33"},
      {"rescale(linear)", "has 0 numbers"},
      {"rescale(1e300)", "does not fit into a float"},
      {"cast(f16) rescale(2)", "not on f16[4,4,3]"},
      {"resize(1000000,1000000)", "more than"},
  };
  for (const auto& [text, part] : cases)
    EXPECT_NE(error_of(text).find(part), std::string::npos) << text << "\n" << error_of(text);
}

}  // namespace
}  // namespace tessera
