// Which elements a rank holds. The oracle walks over all elements with its own arithmetic.
#include <gtest/gtest.h>

#include "tessera/base/error.h"
#include "tessera/checkpoint/strategy.h"
#include "tests/support/random_strategy.h"

namespace tessera {
namespace {

std::vector<std::string> boxes(const ParameterLayout& one, const Shape& shape, int ranks,
                               bool fields = false) {
  std::vector<std::string> all;
  for (Rank rank = 0; rank < ranks; ++rank) {
    std::string text;
    for (const Box& box : slices_of(one, shape, rank, fields))
      text += (text.empty() ? "" : " ") + to_string(box);
    all.push_back(text);
  }
  return all;
}

std::string error_of(const ParameterLayout& one, const Shape& shape) {
  try {
    slices_of(one, shape, 0);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

using Texts = std::vector<std::string>;

TEST(Slices, RowsThatAreListedCutAsListed) {
  const ParameterLayout one{
      .name = "emb", .layout = parse_layout("{d0=4} [d0, -]"), .split_rows = {40, 24, 20, 12}};
  EXPECT_EQ(boxes(one, {96, 8}, 4),
            (Texts{"[0,0]+[40,8]", "[40,0]+[24,8]", "[64,0]+[20,8]", "[84,0]+[12,8]"}));
  EXPECT_NE(error_of(one, {90, 8}).find("are more than the 90"), std::string::npos);
  EXPECT_NE(error_of(one, {99, 8}).find("are 96 together but the tensor has 99"),
            std::string::npos);
}

TEST(Slices, ListedRowsHaveAnEntryPerPartOfTheWholeTensor) {
  ParameterLayout one{
      .name = "emb", .layout = parse_layout("{a=2,b=2} [b, a]"), .split_rows = {5, 5, 3, 3}};
  EXPECT_EQ(boxes(one, {8, 4}, 4),
            (Texts{"[0,0]+[5,2]", "[5,0]+[3,2]", "[0,2]+[5,2]", "[5,2]+[3,2]"}));
  one.split_rows = {5, 4, 3, 3};
  EXPECT_NE(error_of(one, {8, 4}).find("lie beside each other"), std::string::npos);
  one.split_rows = {5, 3};
  EXPECT_NE(error_of(one, {8, 4}).find("lists the rows of 2 parts but"), std::string::npos);
}

TEST(Slices, OptimizerShardingCutsInsideListedRows) {
  const ParameterLayout one{.name = "emb",
                            .layout = parse_layout("{a=2,b=2} [b, -]"),
                            .optimizer_size = 2,
                            .split_rows = {5, 4}};
  EXPECT_EQ(boxes(one, {9, 1}, 4),
            (Texts{"[0,0]+[2,1]", "[5,0]+[2,1]", "[2,0]+[3,1]", "[7,0]+[2,1]"}));
}

TEST(Slices, FieldsAreInterleavedOnRequest) {
  const ParameterLayout one{.name = "w1", .layout = parse_layout("{d0=2} [d0, -]"), .field = 3};
  EXPECT_EQ(boxes(one, {12, 4}, 2), (Texts{"[0,0]+[6,4]", "[6,0]+[6,4]"}));
  EXPECT_EQ(boxes(one, {12, 4}, 2, true),
            (Texts{"[0,0]+[2,4] [4,0]+[2,4] [8,0]+[2,4]", "[2,0]+[2,4] [6,0]+[2,4] [10,0]+[2,4]"}));
  EXPECT_EQ(local_shape(slices_of(one, {12, 4}, 1, true)), (Shape{6, 4}));
}

/// The rows that `rank` holds by the definition of optimizer sharding: the ranks with the same part
/// in order, in chunks of `size`; the position in the chunk chooses the part of its rows.
TEST(Slices, OptimizerShardsFollowTheTableOfTheReference) {
  struct Case {
    std::string layout;
    int step, size;
    int64_t rows;
    int64_t (*first)(int rank);
    int64_t count;
  };
  const Case cases[] = {
      {"{a=4,b=4} [b, -]", 4, 2, 16, [](int r) -> int64_t { return r % 4 * 4 + r / 4 % 2 * 2; }, 2},
      {"{a=8,b=2} [b, -]", 2, 4, 16, [](int r) -> int64_t { return r % 2 * 8 + r / 2 % 4 * 2; }, 2},
      {"{a=16} [-, -]", 1, 16, 16, [](int r) -> int64_t { return r; }, 1},
      {"{a=4,b=4} [-, b]", 4, 2, 16, [](int r) -> int64_t { return r / 4 % 2 * 8; }, 8},
      {"{a=8,b=2} [-, b]", 2, 4, 16, [](int r) -> int64_t { return r / 2 % 4 * 4; }, 4},
      {"{a=16} [-, -]", 1, -1, 16, [](int r) -> int64_t { return r; }, 1},
  };
  for (const Case& one : cases) {
    const ParameterLayout parameter{.name = "w",
                                    .layout = parse_layout(one.layout),
                                    .optimizer_step = one.step,
                                    .optimizer_size = one.size};
    for (int rank = 0; rank < 16; ++rank) {
      const std::vector<Box> slices = slices_of(parameter, {one.rows, 8}, rank);
      ASSERT_EQ(slices.size(), 1);
      EXPECT_EQ(slices[0].begin[0], one.first(rank)) << one.layout << " rank " << rank;
      EXPECT_EQ(slices[0].size[0], one.count);
    }
  }
}

TEST(Slices, ChunksThatDoNotFollowTheMeshAreAnErrorThatNamesTheParameter) {
  const ParameterLayout one{
      .name = "w", .layout = parse_layout("{a=2,b=3} [-]"), .optimizer_size = 2};
  EXPECT_NE(error_of(one, {12}).find("'w'"), std::string::npos);
}

TEST(Slices, AMeshOfOnePlaceHoldsForEveryRank) {
  const ParameterLayout ones{.name = "w", .layout = parse_layout("{d0=1} [d0, -]")};
  EXPECT_EQ(boxes(ones, {3, 2}, 5)[4], "[0,0]+[3,2]");
  const ParameterLayout any{.name = "w", .any_ndim = true, .layout = parse_layout("{t=4} []")};
  EXPECT_EQ(boxes(any, {3, 2, 2}, 4)[3], "[0,0,0]+[3,2,2]");
  EXPECT_EQ(boxes(any, {}, 4)[3], "[]+[]");
  const ParameterLayout zero{
      .name = "w", .any_ndim = true, .layout = parse_layout("{t=4} []"), .optimizer_size = -1};
  EXPECT_EQ(boxes(zero, {8, 2}, 4)[3], "[6,0]+[2,2]");
}

TEST(Slices, UnevenExtentsSplitByTheFloorRule) {
  const ParameterLayout one{.name = "w", .layout = parse_layout("{t=3} [-, t]")};
  EXPECT_EQ(boxes(one, {2, 5}, 3), (Texts{"[0,0]+[2,1]", "[0,1]+[2,2]", "[0,3]+[2,2]"}));
  EXPECT_EQ(boxes(one, {2, 2}, 3), (Texts{"[0,0]+[2,0]", "[0,0]+[2,1]", "[0,1]+[2,1]"}));
}

TEST(Slices, RanksInAnOrderOfTheirOwnHoldTheirPlace) {
  const ParameterLayout one{.name = "w", .layout = parse_layout("{t=3 @ 2 0 1} [t]")};
  EXPECT_EQ(boxes(one, {6}, 3), (Texts{"[2]+[2]", "[4]+[2]", "[0]+[2]"}));
}

TEST(Slices, AShapeThatContradictsIsNamed) {
  const ParameterLayout one{
      .name = "fc.w", .layout = parse_layout("{t=4} [t, -]"), .shape = Shape{8, 3}};
  EXPECT_NE(error_of(one, {8}).find("'fc.w' has the shape [8] but the strategy cuts 2 dims"),
            std::string::npos);
  EXPECT_NE(error_of(one, {8, 4}).find("says [8,3]"), std::string::npos);
  const ParameterLayout partial{.name = "g", .layout = parse_layout("{t=4} [-] +t")};
  EXPECT_NE(error_of(partial, {8}).find("partial values of 'g'"), std::string::npos);
}

TEST(Slices, EveryRankOfAnyLayoutHoldsWhatItsCoordinatesSay) {
  // Part by part: along each dim the part's number in base (sizes of its axes), and floor bounds.
  const Layout layout = parse_layout("{a=2,b=3,c=2} [c a, -, b]");
  const Shape shape{7, 2, 5};
  for (int rank = 0; rank < 12; ++rank) {
    const int a = rank / 6, b = rank / 2 % 3, c = rank % 2;
    const Box box = slices_of({.name = "w", .layout = layout}, shape, rank)[0];
    EXPECT_EQ(box.begin, (Shape{7 * (c * 2 + a) / 4, 0, 5 * b / 3}));
    EXPECT_EQ(box.size[0], 7 * (c * 2 + a + 1) / 4 - 7 * (c * 2 + a) / 4);
    EXPECT_EQ(box.size[2], 5 * (b + 1) / 3 - 5 * b / 3);
  }
}

/// Adds one to every element of `counts`, a tensor of this shape, that lies in the box.
void count(const Box& box, const Shape& shape, std::vector<int>& counts) {
  for (size_t i = 0; i < counts.size(); ++i) {
    bool inside = true;
    auto rest = static_cast<int64_t>(i);
    for (size_t d = shape.size(); d-- > 0; rest /= shape[d]) {
      const int64_t at = rest % shape[d];
      inside = inside && at >= box.begin[d] && at < box.begin[d] + box.size[d];
    }
    counts[i] += inside;
  }
}

TEST(Slices, TheRanksOfAnyStrategyHoldEveryElementEquallyOften) {
  int checked = 0;
  for (uint32_t seed = 0; seed < 150; ++seed) {
    testing::RandomStrategy random(seed);
    const Strategy strategy = random.mindspore(/*nested=*/true);
    for (ParameterLayout one : strategy.parameters) {
      one.shape.reset();
      Shape shape;
      for (size_t d = 0; d < one.layout.dims.size(); ++d) shape.push_back(random.pick(1, 9));
      if (!one.split_rows.empty()) {
        if (one.layout.dims.size() > 1 && part_count(one.layout, 1) > 1) continue;
        int64_t parts = 1;
        for (size_t d = 0; d < shape.size(); ++d) parts *= part_count(one.layout, d);
        one.split_rows.assign(static_cast<size_t>(parts), random.pick(1, 3));
        shape[0] = one.split_rows[0] * part_count(one.layout, 0);
      }
      if (one.field > 0 && !shape.empty()) shape[0] = one.field * random.pick(1, 4);
      const bool fields = one.field > 0 && !shape.empty();
      if (fields) one.split_rows.clear();
      std::vector<int> counts(static_cast<size_t>(element_count(shape)), 0);
      for (Rank rank = 0; rank < strategy.ranks_per_stage; ++rank) {
        const std::vector<Box> slices = slices_of(one, shape, rank, fields);
        for (const Box& box : slices) count(box, shape, counts);
        EXPECT_EQ(local_shape(slices).size(), shape.size());
      }
      for (const int times : counts) ASSERT_EQ(times, counts[0]) << seed << " " << one.name;
      ASSERT_GT(counts[0], 0);
      ++checked;
    }
  }
  EXPECT_GT(checked, 300);
}

}  // namespace
}  // namespace tessera
