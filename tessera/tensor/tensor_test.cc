#include "tessera/tensor/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "tessera/tensor/cover.h"

namespace tessera {
namespace {

Tensor iota(Shape shape) {
  Tensor tensor(DType::kI32, std::move(shape));
  auto values = tensor.mutable_data<int32_t>();
  std::iota(values.begin(), values.end(), 0);
  return tensor;
}

TEST(Half, EveryBitPatternSurvivesTheWayThroughFloat) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    Half half;
    half.bits = static_cast<uint16_t>(bits);
    const auto wide = static_cast<float>(half);
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(static_cast<float>(Half(wide))));
    } else {
      EXPECT_EQ(Half(wide).bits, half.bits);
    }
    BFloat16 brain;
    brain.bits = static_cast<uint16_t>(bits);
    if (!std::isnan(static_cast<float>(brain))) {
      EXPECT_EQ(BFloat16(static_cast<float>(brain)).bits, bits);
    }
  }
}

TEST(Half, RoundsToTheNearestNeighbourAndTiesToEven) {
  // The oracle: the nearest of all finite halves, found by search in double.
  const auto value_of = [](uint16_t bits) {
    Half half;
    half.bits = bits;
    return static_cast<double>(static_cast<float>(half));
  };
  for (uint16_t bits = 0; bits < 0x7BFF; ++bits) {
    const double low = value_of(bits), high = value_of(static_cast<uint16_t>(bits + 1));
    const auto middle = static_cast<float>((low + high) / 2);
    EXPECT_EQ(Half(middle).bits, bits % 2 == 0 ? bits : bits + 1);
    EXPECT_EQ(Half(std::nextafter(middle, 0.0F)).bits, bits);
    EXPECT_EQ(Half(std::nextafter(middle, 1e9F)).bits, bits + 1);
  }
  EXPECT_EQ(Half(65520.0F).bits, 0x7C00);
  EXPECT_EQ(Half(65519.0F).bits, 0x7BFF);
  EXPECT_EQ(Half(std::numeric_limits<float>::infinity()).bits, 0x7C00);
}

TEST(Shape, KeepsMoreDimsThanItHasRoomForInside) {
  Shape shape;
  for (int64_t d = 0; d < 20; ++d) shape.push_back(d);
  const Shape copy = shape;
  shape.erase(3);
  shape.insert(3, 3);
  EXPECT_EQ(shape, copy);
  EXPECT_EQ(parse_shape(to_string(shape)), shape);
  EXPECT_EQ(Shape(std::move(shape)), copy);
}

TEST(Shape, CopiesMovesAndAssignsAtEveryNumberOfDims) {
  static_assert(sizeof(Shape) == 40);
  // A plain vector says what the shape should hold.
  const auto filled = [](size_t ndim, int64_t first) {
    Shape shape;
    for (size_t d = 0; d < ndim; ++d) shape.push_back(first + static_cast<int64_t>(d));
    return shape;
  };
  const auto holds = [](const Shape& shape, size_t ndim, int64_t first) {
    std::vector<int64_t> wanted(ndim);
    std::iota(wanted.begin(), wanted.end(), first);
    return std::vector<int64_t>(shape.begin(), shape.end()) == wanted;
  };
  for (size_t a = 0; a <= 9; ++a) {
    Shape self = filled(a, 1);
    Shape& alias = self;
    self = alias;
    EXPECT_TRUE(holds(self, a, 1)) << a;
    self = std::move(alias);
    EXPECT_TRUE(holds(self, a, 1)) << a;
    for (size_t b = 0; b <= 9; ++b) {
      Shape from = filled(a, 1), to = filled(b, 50);
      to = from;
      EXPECT_TRUE(holds(to, a, 1) && holds(from, a, 1)) << a << " over " << b;
      to = filled(b, 50);
      to = std::move(from);
      EXPECT_TRUE(holds(to, a, 1)) << a << " over " << b;
      from = filled(b, 7);  // what was moved from takes another value
      EXPECT_TRUE(holds(from, b, 7)) << a << " over " << b;
      Shape moved(std::move(from));
      moved.push_back(7 + static_cast<int64_t>(b));
      EXPECT_TRUE(holds(moved, b + 1, 7)) << a << " over " << b;
      moved.resize(a, 0);
      moved.resize(a + b, 3);
      EXPECT_EQ(moved.size(), a + b);
      EXPECT_TRUE(holds(filled(b, 7), b, 7));
    }
    Shape shrunk = filled(9, 0);
    while (shrunk.size() > a) shrunk.pop_back();
    const Shape copy = shrunk;
    EXPECT_EQ(copy, filled(a, 0));
  }
}

TEST(Shape, CountsElementsOrRefuses) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({3, 0, 5}), 0);
  EXPECT_THROW(element_count({int64_t{1} << 40, int64_t{1} << 40}), Error);
  EXPECT_THROW(element_count({-1, 2}), Error);
  EXPECT_EQ(element_count({int64_t{1} << 40, int64_t{1} << 40, 0}), 0);
}

TEST(Tensor, ASliceOfASliceIsWhatIndexingSays) {
  const Tensor whole_tensor = iota({4, 5, 6});
  const Tensor part = whole_tensor.slice({{1, 2, 1}, {2, 3, 4}}).slice({{1, 0, 2}, {1, 2, 2}});
  const Tensor plain = part.contiguous();
  const auto values = plain.data<int32_t>();
  const std::vector<int32_t> wanted{2 * 30 + 2 * 6 + 3, 2 * 30 + 2 * 6 + 4, 2 * 30 + 3 * 6 + 3,
                                    2 * 30 + 3 * 6 + 4};
  EXPECT_EQ(std::vector<int32_t>(values.begin(), values.end()), wanted);
  EXPECT_THROW(part.data<int32_t>(), Error);
  EXPECT_THROW(whole_tensor.slice({{0, 0, 0}, {5, 5, 6}}), Error);
}

TEST(Tensor, AViewMustFitIntoItsBuffer) {
  const auto buffer = Buffer::allocate(16);
  EXPECT_NO_THROW(Tensor::view(buffer, 8, DType::kF32, {2}));
  EXPECT_THROW(Tensor::view(buffer, 12, DType::kF32, {2}), Error);
  EXPECT_THROW(Tensor::view(buffer, -4, DType::kF32, {1}), Error);
}

TEST(Tensor, CastsRoundAsTheTargetDoes) {
  const float values[] = {1.5F, -2.75F, 1.0F / 3.0F, 70000.0F};
  const Tensor f32 = Tensor::of<float>(values, {4});
  EXPECT_EQ(to_string(f32.cast(DType::kF16)), "f16[4] {1.5, -2.75, 0.33325195, inf}");
  EXPECT_EQ(to_string(f32.cast(DType::kI32)), "i32[4] {1, -2, 0, 70000}");
  EXPECT_THROW(f32.cast(DType::kI4x2), Error);
}

TEST(Box, RunsVisitEveryCommonElementOnce) {
  const Box a{{0, 0, 0}, {4, 5, 6}};
  const Box b{{1, 1, 0}, {3, 4, 6}};
  const Box common = intersect(a, Box{{1, 2, 0}, {2, 3, 6}});
  std::vector<int> seen_a(120, 0), seen_b(72, 0);
  for_each_run(a, b, common, [&](int64_t in_a, int64_t in_b, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      ++seen_a[static_cast<size_t>(in_a + i)];
      ++seen_b[static_cast<size_t>(in_b + i)];
    }
  });
  for (int64_t z = 0; z < 4; ++z) {
    for (int64_t y = 0; y < 5; ++y) {
      for (int64_t x = 0; x < 6; ++x) {
        const bool inside = contains(common, Box{{z, y, x}, {1, 1, 1}});
        EXPECT_EQ(seen_a[static_cast<size_t>((z * 5 + y) * 6 + x)], inside ? 1 : 0);
        if (inside) {
          EXPECT_EQ(seen_b[static_cast<size_t>(((z - 1) * 4 + y - 1) * 6 + x)], 1);
        }
      }
    }
  }
}

TEST(Cover, FillsEveryElementOnceOrNamesAHole) {
  uint64_t state = 7;
  const auto random = [&](int64_t limit) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<int64_t>((state >> 33U) % static_cast<uint64_t>(limit));
  };
  for (int round = 0; round < 2000; ++round) {
    const Shape shape{1 + random(5), 1 + random(6)};
    std::vector<Box> pieces;
    for (int64_t i = random(6); i >= 0; --i) {
      Box piece{{random(shape[0]), random(shape[1])}, {0, 0}};
      piece.size = {1 + random(shape[0] - piece.begin[0]), 1 + random(shape[1] - piece.begin[1])};
      pieces.push_back(piece);
    }
    const auto element_is_held = [&](int64_t y, int64_t x) {
      for (const Box& piece : pieces)
        if (contains(piece, Box{{y, x}, {1, 1}})) return true;
      return false;
    };
    bool complete = true;
    for (int64_t y = 0; y < shape[0]; ++y)
      for (int64_t x = 0; x < shape[1]; ++x) complete &= element_is_held(y, x);
    if (!complete) {
      EXPECT_THROW(cover(pieces, whole(shape)), Error);
      continue;
    }
    std::vector<int> count(static_cast<size_t>(element_count(shape)), 0);
    for (const Copy& copy : cover(pieces, whole(shape))) {
      EXPECT_TRUE(contains(pieces[copy.piece], copy.box));
      for_each_run(whole(shape), whole(shape), copy.box, [&](int64_t at, int64_t, int64_t n) {
        for (int64_t i = 0; i < n; ++i) ++count[static_cast<size_t>(at + i)];
      });
    }
    EXPECT_EQ(std::count(count.begin(), count.end(), 1), std::ssize(count));
  }
}

}  // namespace
}  // namespace tessera
