#include "tessera/base/error.h"
#include "tests/support/layout_oracle.h"

namespace tessera::testing {
namespace {

std::string error_of(const TensorMap& map) {
  try {
    (void)from_tensor_map(map);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

TEST(TensorMap, NamesAxesFromTheLeftAndCountsReferencesFromTheRight) {
  EXPECT_EQ(to_string(from_tensor_map({{2, 4}, {{0}, {-1}}})), "{d0=2,d1=4} [d1, -]");
  EXPECT_EQ(to_string(from_tensor_map({{2, 2, 2}, {{0, 2}, {1}}})), "{d0=2,d1=2,d2=2} [d2 d0, d1]");
  EXPECT_EQ(to_string(from_tensor_map({{}, {{}, {-1}}})), "{} [-, -]");
  EXPECT_EQ(to_string(from_tensor_map({{4}, {}})), "{d0=4} []");
}

TEST(TensorMap, EveryMapComesBackFromItsLayout) {
  std::mt19937 random(8);
  for (int i = 0; i < 2000; ++i) {
    Layout layout = random_layout(random, random() % 5);
    layout.partial.clear();
    const TensorMap map = to_tensor_map(layout);
    EXPECT_EQ(to_tensor_map(from_tensor_map(map)), map);
    EXPECT_EQ(from_tensor_map(map).dims, layout.dims);
    // Without device dims of size 1 every device keeps its box.
    const TensorMap squeezed = squeeze(map);
    EXPECT_EQ(std::count(squeezed.device_matrix.begin(), squeezed.device_matrix.end(), 1), 0);
    EXPECT_EQ(squeeze(squeezed), squeezed);
    const Shape global(map.dims.size(), 35);
    const Layout before = from_tensor_map(map), after = from_tensor_map(squeezed);
    for (const Rank rank : all_ranks(*before.mesh))
      ASSERT_EQ(local_box(before, global, rank), local_box(after, global, rank))
          << to_string(before) << " and " << to_string(after);
  }
}

TEST(TensorMap, SaysWhichDimIsWrong) {
  EXPECT_EQ(error_of({{2, 4}, {{-1}, {2}}}),
            "dim 1 of the tensor map refers to device dim 2 of a matrix of 2");
  EXPECT_EQ(error_of({{2, 4}, {{-2}}}),
            "dim 0 of the tensor map refers to device dim -2 of a matrix of 2");
  EXPECT_EQ(error_of({{2, 4}, {{1}, {0, 1}}}),
            "dim 1 of the tensor map refers to device dim 1, which splits dim 0");
  EXPECT_NE(error_of({{2, 0}, {{1}}}).find("'d1' has the size 0"), std::string::npos);
  EXPECT_NE(error_of({{-2, 4}, {{1}}}).find("'d0' has the size -2"), std::string::npos);
  EXPECT_NE(error_of({{INT32_MAX, INT32_MAX}, {{1}}}).find("at most"), std::string::npos);
  EXPECT_THROW((void)squeeze({{2, 1}, {{2}}}), Error);
  EXPECT_THROW((void)squeeze({{2, 1}, {{-3}}}), Error);
  EXPECT_THROW((void)to_tensor_map(parse_layout("{a=2} [-] +a")), Error);
}

}  // namespace
}  // namespace tessera::testing
