// What the examples of the sweep do not reach: edges, refusals, and rules of MindSpore's that
// appear in corners only. Values marked MindSpore were printed by MindSpore 2.10.0 on CPU.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <sstream>

#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/registry.h"

namespace tessera {
namespace {

template <typename T>
Tensor tensor(std::vector<T> values, Shape shape) {
  return Tensor::of(std::span<const T>(values), std::move(shape));
}

Tensor count_up(Shape shape, float first = 0) {
  Tensor x(DType::kF32, std::move(shape));
  const auto values = x.mutable_data<float>();
  std::iota(values.begin(), values.end(), first);
  return x;
}

Tensor run(std::string_view op, std::vector<Tensor> operands, Attrs attrs = {}) {
  return evaluate(require_op(op), operands, attrs)[0];
}

template <typename T>
std::vector<T> values(const Tensor& x) {
  return {x.data<T>().begin(), x.data<T>().end()};
}

std::string message_of(std::string_view op, std::vector<Tensor> operands, Attrs attrs = {}) {
  try {
    (void)run(op, std::move(operands), std::move(attrs));
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Promotion, IsMindSporesTable) {
  // Add's result dtype for each pair of operands, MindSpore; "-" where it refuses.
  const std::vector<std::string> dtypes = {"bool", "u8",  "u16",  "u32", "u64", "i8", "i16",
                                           "i32",  "i64", "bf16", "f16", "f32", "f64"};
  const std::vector<std::string> rows = {"- u8 u16 u32 u64 i8 i16 i32 i64 bf16 f16 f32 f64",
                                         "u8 u8 - - - i16 i16 i32 i64 bf16 f16 f32 f64",
                                         "u16 - u16 - - - - - - - - - -",
                                         "u32 - - u32 - - - - - - - - -",
                                         "u64 - - - u64 - - - - - - - -",
                                         "i8 i16 - - - i8 i16 i32 i64 bf16 f16 f32 f64",
                                         "i16 i16 - - - i16 i16 i32 i64 bf16 f16 f32 f64",
                                         "i32 i32 - - - i32 i32 i32 i64 bf16 f16 f32 f64",
                                         "i64 i64 - - - i64 i64 i64 i64 bf16 f16 f32 f64",
                                         "bf16 bf16 - - - bf16 bf16 bf16 bf16 bf16 f32 f32 f64",
                                         "f16 f16 - - - f16 f16 f16 f16 f32 f16 f32 f64",
                                         "f32 f32 - - - f32 f32 f32 f32 f32 f32 f32 f64",
                                         "f64 f64 - - - f64 f64 f64 f64 f64 f64 f64 f64"};
  for (size_t a = 0; a < dtypes.size(); ++a) {
    std::istringstream row(rows[a]);
    for (const std::string& b : dtypes) {
      std::string wanted;
      row >> wanted;
      std::string found = "-";
      try {
        found = to_string(internal::promote(parse_dtype(dtypes[a]), parse_dtype(b)));
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      }
      EXPECT_EQ(found, wanted) << dtypes[a] << " with " << b;
    }
  }
}

TEST(Arithmetic, OfIntegersWrapsAroundAndDividesToFloat) {
  EXPECT_EQ(values<int32_t>(
                run("add", {tensor<int32_t>({INT32_MAX}, {1}), tensor<int32_t>({1}, {1})}))[0],
            INT32_MIN);
  EXPECT_EQ(values<uint8_t>(run("sub", {tensor<uint8_t>({3}, {1}), tensor<uint8_t>({5}, {1})}))[0],
            254);
  EXPECT_EQ(values<int64_t>(run("mul", {tensor<int64_t>({-3}, {1}), tensor<int32_t>({5}, {1})}))[0],
            -15);
  EXPECT_EQ(values<int8_t>(run("neg", {tensor<int8_t>({-128, 7}, {2})})),
            (std::vector<int8_t>{-128, -7}));
  const Tensor quotient = run("div", {tensor<int32_t>({7, -7}, {2}), tensor<int32_t>({2, 2}, {2})});
  EXPECT_EQ(values<float>(quotient), (std::vector<float>{3.5F, -3.5F}));
}

TEST(Relu, AndItsKinDoWithNanWhatMindSporeDoes) {
  const float nan = std::nanf("");
  const Tensor x = tensor<float>({nan, -1, 7}, {3});
  EXPECT_EQ(values<float>(run("relu", {x})), (std::vector<float>{0, 0, 7}));
  EXPECT_TRUE(std::isnan(values<float>(run("relu6", {x}))[0]));
  EXPECT_TRUE(std::isnan(values<float>(run("leaky_relu", {x}))[0]));
  EXPECT_EQ(values<float>(run("reduce_max", {tensor<float>({1, nan, 3}, {3})}))[0], 3);
  EXPECT_EQ(values<int32_t>(run("argmax", {tensor<float>({1, nan, 3}, {3})}))[0], 2);
  EXPECT_EQ(values<int32_t>(run("argmax", {tensor<float>({nan, nan, 3}, {3})}))[0], 0);
}

TEST(Cast, ToIntegersGivesMindSporesValuesAlsoWhereNoneFit) {
  const float nan = std::nanf("");
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor x = tensor<float>({1.9F, -1.9F, 3e9F, -3e9F, nan, infinity, 300, -300, 0.5F}, {9});
  const int32_t least = INT32_MIN;
  EXPECT_EQ(values<int32_t>(run("cast", {x}, {{"dtype", "i32"}})),
            (std::vector<int32_t>{1, -1, least, least, least, least, 300, -300, 0}));
  EXPECT_EQ(values<uint8_t>(run("cast", {x}, {{"dtype", "u8"}})),
            (std::vector<uint8_t>{1, 255, 0, 0, 0, 0, 44, 212, 0}));
  EXPECT_EQ(values<uint64_t>(
                run("cast", {tensor<double>({0x1p63, 0x1p64, 5.5}, {3})}, {{"dtype", "u64"}})),
            (std::vector<uint64_t>{uint64_t{1} << 63, uint64_t{1} << 63, 5}));
  EXPECT_EQ(
      values<bool>(run("cast", {tensor<float>({0.5F, 0, nan, -0.0F}, {4})}, {{"dtype", "bool"}})),
      (std::vector<bool>{true, false, true, false}));
  EXPECT_NE(message_of("cast", {x}, {{"dtype", "c64"}}), "no error");
  EXPECT_NE(message_of("cast", {x}, {{"dtype", "float"}}), "no error");
}

TEST(AvgPool, CountsPaddingAsMindSporeDoesWhereTheLastWindowReachesBeyondIt) {
  const Tensor x = count_up({1, 1, 8, 8});
  const auto pooled = [&](int64_t kernel, int64_t stride, bool include) {
    return values<float>(run("avg_pool", {x},
                             {{"kernel", Ints{kernel, kernel}},
                              {"stride", Ints{stride, stride}},
                              {"pad_mode", "pad"},
                              {"padding", Ints{1, 1, 1, 1}},
                              {"ceil_mode", true},
                              {"count_include_pad", include}}));
  };
  // MindSpore's first and last rows.
  const std::vector<float> with = pooled(3, 2, true);
  ASSERT_EQ(with.size(), 25U);
  const std::vector<float> first = {2, 4, 5.3333335F, 6.6666665F, 3.6666667F};
  const std::vector<float> last = {18.833334F, 29, 30, 31, 15.75F};
  const std::vector<float> without = pooled(3, 2, false);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_FLOAT_EQ(with[i], first[i]);
    EXPECT_FLOAT_EQ(with[20 + i], last[i]);
    EXPECT_FLOAT_EQ(without[20 + i], (std::vector<float>{56.5F, 58, 60, 62, 63})[i]);
  }
  EXPECT_EQ(pooled(2, 3, true),
            (std::vector<float>{0, 1.25F, 2.75F, 10, 22.5F, 25.5F, 22, 46.5F, 49.5F}));
}

TEST(MaxPool, DropsALastWindowThatWouldBeginInThePadding) {
  const auto pooled = [&](int64_t extent, int64_t kernel, int64_t stride, int64_t padding) {
    return run("max_pool", {count_up({1, 1, extent, extent})},
               {{"kernel", Ints{kernel, kernel}},
                {"stride", Ints{stride, stride}},
                {"pad_mode", "pad"},
                {"padding", Ints(4, padding)},
                {"ceil_mode", true}});
  };
  // MindSpore's extents.
  EXPECT_EQ(pooled(9, 2, 3, 1).shape(), (Shape{1, 1, 4, 4}));
  EXPECT_EQ(pooled(8, 2, 3, 1).shape(), (Shape{1, 1, 3, 3}));
  EXPECT_EQ(pooled(8, 3, 5, 1).shape(), (Shape{1, 1, 2, 2}));
  EXPECT_EQ(pooled(9, 2, 4, 0).shape(), (Shape{1, 1, 3, 3}));
  EXPECT_EQ(pooled(8, 2, 4, 0).shape(), (Shape{1, 1, 2, 2}));
  EXPECT_EQ(values<float>(pooled(8, 2, 4, 0)), (std::vector<float>{9, 13, 41, 45}));
}

TEST(Window, RefusesWhatHasNoPlace) {
  const Tensor x = count_up({1, 2, 4, 4});
  const Attrs kernel = {{"kernel", Ints{5, 5}}};
  EXPECT_EQ(message_of("max_pool", {x}, kernel),
            "a window of 5 does not fit into 4 elements with padding 0 and 0");
  EXPECT_NE(message_of("max_pool", {x}, {{"kernel", Ints{2, 2}}, {"stride", Ints{0, 1}}}),
            "no error");
  EXPECT_NE(message_of("max_pool", {x}, {{"kernel", Ints{2}}}), "no error");
  EXPECT_NE(message_of("max_pool", {x}, {{"kernel", Ints{2, 2}}, {"pad_mode", "full"}}),
            "no error");
  EXPECT_NE(message_of("max_pool", {x}, {{"kernel", Ints{2, 2}}, {"padding", Ints{1, 1, 1, 1}}}),
            "no error");
  EXPECT_NE(message_of("max_pool", {x},
                       {{"kernel", Ints{2, 2}}, {"pad_mode", "pad"}, {"padding", Ints(4, 2)}}),
            "no error");
  EXPECT_EQ(message_of("conv2d", {x, count_up({4, 1, 3, 3})}),
            "x has 2 channels in 1 groups, weight f32[4,1,3,3] is for 1 per group");
  EXPECT_NE(message_of("conv2d", {x, count_up({3, 1, 3, 3})}, {{"groups", 2}}), "no error");
  EXPECT_NE(message_of("conv2d", {x, count_up({3, 2, 3, 3})}, {{"dilation", Ints{INT64_MAX, 1}}}),
            "no error");
}

TEST(Lookup, CountsNegativeIndicesFromTheEndAndRefusesOthers) {
  const Tensor x = count_up({5});
  EXPECT_EQ(values<float>(run("gather", {x, tensor<int32_t>({-1, -5, 2}, {3})})),
            (std::vector<float>{4, 0, 2}));  // MindSpore
  EXPECT_EQ(message_of("gather", {x, tensor<int32_t>({5}, {1})}), "index 5 is not in [-5, 5)");
  EXPECT_EQ(message_of("embedding", {tensor<int64_t>({-6}, {1}), count_up({5, 2})}),
            "index -6 is not in [-5, 5)");
  EXPECT_EQ(
      message_of("sparse_softmax_cross_entropy", {count_up({2, 3}), tensor<int32_t>({1, 3}, {2})}),
      "label 3 of row 1 is not one of 3 classes");
}

/// One dim of a slice by Python's own description, step by step.
std::vector<int64_t> slice_by_steps(int64_t begin, int64_t end, int64_t step, int64_t extent) {
  const auto fixed = [&](int64_t at) {
    if (at < 0) at += extent;
    if (at < 0) return step < 0 ? int64_t{-1} : int64_t{0};
    if (at >= extent) return step < 0 ? extent - 1 : extent;
    return at;
  };
  std::vector<int64_t> taken;
  for (int64_t at = fixed(begin); step > 0 ? at < fixed(end) : at > fixed(end); at += step)
    taken.push_back(at);
  return taken;
}

TEST(Slice, FollowsPythonForEveryBeginEndAndStep) {
  int64_t cases = 0;
  for (int64_t extent = 0; extent <= 4; ++extent) {
    const Tensor x = count_up({extent});
    for (int64_t begin = -6; begin <= 6; ++begin)
      for (int64_t end = -6; end <= 6; ++end)
        for (const int64_t step : {-3, -2, -1, 1, 2, 3}) {
          std::vector<float> wanted;
          for (const int64_t at : slice_by_steps(begin, end, step, extent))
            wanted.push_back(static_cast<float>(at));
          const Attrs attrs = {{"begin", Ints{begin}}, {"end", Ints{end}}, {"strides", Ints{step}}};
          ASSERT_EQ(values<float>(run("slice", {x}, attrs)), wanted) << extent << to_string(attrs);
          ++cases;
        }
  }
  EXPECT_EQ(cases, 5 * 13 * 13 * 6);
  EXPECT_NE(message_of("slice", {count_up({3})},
                       {{"begin", Ints{0}}, {"end", Ints{1}}, {"strides", Ints{0}}}),
            "no error");
  EXPECT_EQ(
      values<float>(run(
          "slice", {count_up({3})},
          {{"begin", Ints{INT64_MIN}}, {"end", Ints{INT64_MAX}}, {"strides", Ints{INT64_MAX}}})),
      (std::vector<float>{0}));
  EXPECT_EQ(
      values<float>(run(
          "slice", {count_up({3})},
          {{"begin", Ints{INT64_MAX}}, {"end", Ints{INT64_MIN}}, {"strides", Ints{INT64_MIN}}})),
      (std::vector<float>{2}));
}

TEST(Reshape, FindsTheExtentThatIsLeftAndRefusesOthers) {
  EXPECT_EQ(run("reshape", {count_up({2, 6})}, {{"shape", Ints{3, -1}}}).shape(), (Shape{3, 4}));
  EXPECT_EQ(run("reshape", {count_up({0, 3})}, {{"shape", Ints{0, -1}}}).shape(), (Shape{0, 0}));
  EXPECT_EQ(run("reshape", {count_up({1})}, {{"shape", Ints{}}}).shape(), Shape{});
  for (const Ints& shape : std::vector<Ints>{{5, -1}, {-1, -1}, {13}, {-2, 6}, {0, -1}, {}})
    EXPECT_NE(message_of("reshape", {count_up({2, 6})}, {{"shape", shape}}), "no error");
}

TEST(Softmax, StaysFiniteWhereExponentialsOverflow) {
  const Tensor x = tensor<float>({1000, 1000, -1000}, {3});
  EXPECT_EQ(values<float>(run("softmax", {x})), (std::vector<float>{0.5F, 0.5F, 0}));
  EXPECT_FLOAT_EQ(values<float>(run("log_softmax", {x}))[2], -2000.6931F);
}

TEST(Pad, RefusesMirrorsLargerThanTheTensor) {
  const Tensor x = count_up({1, 3});
  for (const auto& [mode, most] : {std::pair("reflect", 2), std::pair("symmetric", 3)}) {
    EXPECT_EQ(message_of("pad", {x}, {{"paddings", Ints{0, 0, most, 0}}, {"mode", mode}}),
              "no error");
    EXPECT_NE(message_of("pad", {x}, {{"paddings", Ints{0, 0, most + 1, 0}}, {"mode", mode}}),
              "no error");
  }
  EXPECT_NE(message_of("pad", {x}, {{"paddings", Ints{0, 0, -1, 0}}}), "no error");
  EXPECT_NE(message_of("pad", {x}, {{"paddings", Ints{0, 0}}}), "no error");
}

TEST(Axes, AreCheckedAndWrap) {
  EXPECT_EQ(message_of("softmax", {count_up({2, 3})}, {{"axis", 2}}),
            "axis 2 is not one of a tensor of 2 dims");
  EXPECT_NE(message_of("softmax", {count_up({})}), "no error");
  EXPECT_EQ(message_of("reduce_sum", {count_up({2, 3})}, {{"axis", Ints{1, -1}}}),
            "axis -1 comes twice in [1,-1]");
  EXPECT_NE(message_of("transpose", {count_up({2, 3})}, {{"perm", Ints{0, 0}}}), "no error");
  EXPECT_NE(message_of("concat", {count_up({2, 3}), count_up({2})}), "no error");
  EXPECT_NE(message_of("reduce_max", {count_up({0, 3})}), "no error");
  EXPECT_TRUE(std::isnan(values<float>(run("reduce_mean", {count_up({0})}))[0]));
}

}  // namespace
}  // namespace tessera
