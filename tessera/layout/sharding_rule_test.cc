#include "tessera/layout/sharding_rule.h"

#include <gtest/gtest.h>

#include <set>

#include "tessera/base/error.h"

namespace tessera {
namespace {

std::vector<Shape> shapes_of(std::string_view rule, std::vector<Shape> operands) {
  return result_shapes(parse_rule(rule, operands));
}

std::string message_of(std::string_view rule, std::vector<Shape> operands) {
  try {
    (void)parse_rule(rule, operands);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

TEST(ShardingRule, GivesTheShapesOfResults) {
  using Shapes = std::vector<Shape>;
  EXPECT_EQ(shapes_of("m k, k n -> m n", {{5, 7}, {7, 4}}), (Shapes{{5, 4}}));
  EXPECT_EQ(shapes_of("... [c] -> ... [c]", {{2, 3, 4}}), (Shapes{{2, 3, 4}}));
  EXPECT_EQ(shapes_of("... max:c -> ...", {{2, 3, 4}}), (Shapes{{2, 3}}));
  EXPECT_EQ(shapes_of("a b -> b a, a", {{2, 3}}), (Shapes{{3, 2}, {2}}));
  EXPECT_EQ(shapes_of("a b -> a 1", {{2, 3}}), (Shapes{{2, 1}}));
  EXPECT_EQ(shapes_of("a b ->", {{2, 3}}), (Shapes{{}}));
  EXPECT_EQ(shapes_of("(a=2 b) c -> a b c", {{6, 4}}), (Shapes{{2, 3, 4}}));
  EXPECT_EQ(shapes_of("a b c -> (a b) c", {{2, 3, 4}}), (Shapes{{6, 4}}));
  EXPECT_EQ(shapes_of("n (g=2 i) [h] [w], (g=2 o) i [p] [q] -> n (g=2 o) [y=5] [x=6]",
                      {{3, 8, 9, 9}, {6, 4, 2, 2}}),
            (Shapes{{3, 6, 5, 6}}));
}

TEST(ShardingRule, BroadcastsUnnamedDimsFromTheRight) {
  const std::vector<Shape> operands = {{4, 1, 3}, {2, 1}, {}};
  const ShardingRule rule = parse_rule("..., ..., ... -> ...", operands);
  EXPECT_EQ(result_shapes(rule), (std::vector<Shape>{{4, 2, 3}}));
  EXPECT_TRUE(rule.operands[0][1].empty()) << "an extent of 1 that broadcasts has no factor";
  EXPECT_TRUE(rule.operands[1][1].empty());
  EXPECT_EQ(rule.operands[1][0], rule.results[0][1]);
  EXPECT_EQ(shapes_of("..., ... -> ...", {{1, 3}, {1, 1}}), (std::vector<Shape>{{1, 3}}));
  EXPECT_EQ(shapes_of("..., ... -> ...", {{1}, {0}}), (std::vector<Shape>{{0}}));
}

TEST(ShardingRule, ReadsBackFromItsText) {
  const std::vector<std::pair<std::string, std::vector<Shape>>> cases = {
      {"m k, k n -> m n", {{5, 7}, {7, 4}}},
      {"..., ... -> ...", {{4, 1, 3}, {2, 1}}},
      {"... max:c, min:d -> ...", {{2, 3}, {5}}},
      {"n (g=2 [i]) [h], (g=2 o) i -> n (g o) [y=5]", {{3, 8, 9}, {6, 4}}},
      {"a 1 b -> (a b) 1", {{2, 1, 3}}},
      {"a -> [b=0]", {{0}}},
      {"->", {{}}}};
  for (const auto& [text, operands] : cases) {
    const ShardingRule rule = parse_rule(text, operands);
    EXPECT_EQ(parse_rule(to_string(rule), operands), rule) << text << " | " << to_string(rule);
  }
  EXPECT_EQ(to_string(parse_rule("... [c], c -> ...", std::vector<Shape>{{2, 3}, {3}})),
            ".0=2 [c=3], [c=3] -> .0=2");
}

TEST(ShardingRule, BracketsAndReductionsHoldWhereverTheyAreWritten) {
  const ShardingRule rule = parse_rule("a max:b, [a] b -> a", std::vector<Shape>{{2, 3}, {2, 3}});
  EXPECT_TRUE(rule.factors[0].whole);
  EXPECT_FALSE(rule.factors[1].whole);
  EXPECT_EQ(rule.factors[1].reduce, ReduceOp::kMax);
  EXPECT_FALSE(is_reduced(rule, 0));
  EXPECT_TRUE(is_reduced(rule, 1));
}

TEST(ShardingRule, SaysWhichDimContradicts) {
  EXPECT_EQ(message_of("m k, k n -> m n", {{2, 3}, {4, 5}}),
            "dim 'k' is 4 in operand 1 but 3 before it");
  EXPECT_EQ(message_of("m k -> m", {{2, 3, 4}}),
            "operand 0 is [2,3,4], rule 'm k -> m' wants 2 dims");
  EXPECT_EQ(message_of("..., ... -> ...", {{2, 3}, {4}}),
            "dim 0 of operand 1 is 4, which does not broadcast with the 3 before it");
  EXPECT_EQ(message_of("(g=2 i) -> i", {{5}}), "dim 'g i' of operand 0 is 5, not a multiple of 2");
  EXPECT_EQ(message_of("a 1 -> a", {{2, 3}}), "dim 1 of operand 0 is 3, rule 'a 1 -> a' wants 1");
}

TEST(ShardingRule, RefusesWhatIsNoRule) {
  const std::vector<Shape> one = {{2, 3}};
  for (const std::string_view text :
       {"a b", "a b, c -> a", "a a -> a", "a b -> c", "(a b) c -> a", "... ... -> ...", "[a b -> a",
        "a] b -> a", "() b -> b", "a=x b -> a", "a b -> a=", "a=2 b -> a=3", "2a b -> b",
        "max: b -> b", "(a b -> a", "a=99999999999999999999 b -> a"})
    EXPECT_NE(message_of(text, one), "no error") << text;
}

TEST(FactorPart, PartsFollowEachOtherAndCoarseCutsAreCutsOfFinerOnes) {
  for (int64_t extent = 0; extent < 40; ++extent) {
    for (int64_t count = 1; count <= 6; ++count) {
      int64_t at = 0;
      std::set<int64_t> cuts;
      for (int64_t i = 0; i < count; ++i) {
        const FactorPart part = factor_part(extent, i, count);
        EXPECT_EQ(part.begin, at);
        EXPECT_EQ(part.begin, extent * i / count);
        at += part.size;
        cuts.insert(part.begin);
      }
      EXPECT_EQ(at, extent);
      for (int64_t i = 0; i < count * 3; ++i) cuts.erase(factor_part(extent, i, count * 3).begin);
      EXPECT_TRUE(cuts.empty());
    }
  }
  const int64_t huge = INT64_MAX;
  EXPECT_EQ(factor_part(huge, 6, 7).begin + factor_part(huge, 6, 7).size, huge);
  EXPECT_THROW(factor_part(4, 2, 2), Error);
}

/// The indices of a dim, major factor first, by looking at every one of them.
std::optional<FactorPart> range_by_counting(const std::vector<int64_t>& extents,
                                            const std::vector<FactorPart>& parts) {
  std::vector<int64_t> held;
  int64_t total = 1;
  for (const int64_t extent : extents) total *= extent;
  for (int64_t flat = 0; flat < total; ++flat) {
    int64_t rest = flat;
    bool inside = true;
    for (size_t f = extents.size(); f-- > 0; rest /= extents[f]) {
      const int64_t digit = rest % extents[f];
      inside &= digit >= parts[f].begin && digit < parts[f].begin + parts[f].size;
    }
    if (inside) held.push_back(flat);
  }
  if (held.empty()) return FactorPart{0, 0};
  const auto size = static_cast<int64_t>(held.size());
  if (held.back() - held.front() + 1 != size) return std::nullopt;
  return FactorPart{held.front(), size};
}

TEST(BoxOf, HoldsExactlyTheIndicesOfTheFactorsParts) {
  int boxes = 0, holes = 0;
  for (const std::vector<int64_t>& extents : std::vector<std::vector<int64_t>>{
           {6}, {2, 3}, {3, 4}, {1, 5}, {4, 1}, {2, 2, 3}, {3, 1, 4}}) {
    ShardingRule rule;
    std::vector<FactorId> dim;
    for (size_t f = 0; f < extents.size(); ++f) {
      rule.factors.push_back({"f" + std::to_string(f), extents[f], false, ReduceOp::kSum});
      dim.push_back(static_cast<FactorId>(f));
    }
    // Every way to cut each factor into up to four parts, and to choose one of them.
    std::vector<std::vector<FactorPart>> all = {{}};
    for (const int64_t extent : extents) {
      std::vector<std::vector<FactorPart>> longer;
      for (const auto& parts : all)
        for (int64_t count = 1; count <= 4; ++count)
          for (int64_t i = 0; i < count; ++i) {
            longer.push_back(parts);
            longer.back().push_back(factor_part(extent, i, count));
          }
      all = std::move(longer);
    }
    for (const auto& parts : all) {
      const auto wanted = range_by_counting(extents, parts);
      const auto box = box_of(rule, {dim}, parts);
      ++(wanted ? boxes : holes);
      ASSERT_EQ(box.has_value(), wanted.has_value());
      if (!wanted) continue;
      EXPECT_EQ(*box, (Box{{wanted->begin}, {wanted->size}}));
    }
  }
  EXPECT_GT(boxes, 500);
  EXPECT_GT(holes, 50);
}

TEST(BoxOf, GivesABroadcastDimItsOnlyElement) {
  const ShardingRule rule = parse_rule("a 1 -> a", std::vector<Shape>{{4, 1}});
  const std::vector<FactorPart> parts = {{2, 2}};
  EXPECT_EQ(*box_of(rule, rule.operands[0], parts), (Box{{2, 0}, {2, 1}}));
}

}  // namespace
}  // namespace tessera
