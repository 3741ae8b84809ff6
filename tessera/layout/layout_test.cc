#include "tessera/layout/layout.h"

#include <set>

#include "tessera/base/error.h"
#include "tests/support/layout_oracle.h"

namespace tessera::testing {
namespace {

std::string message_of(std::string_view text) {
  try {
    (void)parse_layout(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

template <typename Call>
std::string error_of(Call call) {
  try {
    (void)call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

/// The flat indices of a box.
std::vector<int64_t> elements_in(const Box& box, const Shape& global) {
  std::vector<int64_t> held{0};
  for (size_t d = 0; d < global.size(); ++d) {
    std::vector<int64_t> longer;
    for (const int64_t element : held)
      for (int64_t i = box.begin[d]; i < box.begin[d] + box.size[d]; ++i)
        longer.push_back(element * global[d] + i);
    held = std::move(longer);
  }
  return held;
}

TEST(LayoutText, EveryLayoutReadsBackFromItsText) {
  std::mt19937 random(1);
  std::set<std::string> texts;
  for (int i = 0; i < 5000; ++i) {
    const Layout layout = random_layout(random, random() % 5);
    const std::string text = to_string(layout);
    texts.insert(text);
    ASSERT_EQ(parse_layout(text), layout) << text;
    ASSERT_EQ(parse_layout(dims_to_string(layout), layout.mesh), layout) << text;
    ASSERT_EQ(*parse_mesh(to_string(*layout.mesh)), *layout.mesh) << text;
    ASSERT_EQ(to_string(parse_layout(text)), text);
  }
  EXPECT_GT(texts.size(), 3000U);
}

TEST(LayoutText, BlanksAndCommasAreFreeAndRanksMayBeRanges) {
  EXPECT_EQ(to_string(parse_layout(" { dp = 2 , tp=4,sp =2 }[dp  tp,-]  + sp ")),
            "{dp=2,tp=4,sp=2} [dp tp, -] +sp");
  EXPECT_EQ(to_string(parse_layout("{a=2,b=3} [-] min:b max:a")), "{a=2,b=3} [-] max:a min:b");
  EXPECT_EQ(to_string(*parse_mesh("{a=6@9,4-6,1 2}")), "{a=6 @ 9 4-6 1 2}");
  EXPECT_EQ(to_string(*parse_mesh("{a=4 @ 0-3}")), "{a=4}") << "the plain list says nothing";
  EXPECT_EQ(to_string(*parse_mesh("{@ 5}")), "{@ 5}");
  EXPECT_EQ(parse_mesh("{}")->rank_count(), 1);
  EXPECT_TRUE(parse_layout("{a=2} []").dims.empty());
  EXPECT_EQ(parse_layout("{a=2} [-]").dims.size(), 1U);
}

TEST(LayoutText, ErrorsNameTheColumn) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"dp=2", "'{' is wanted at column 1"},
      {"{dp 2} []", "'=' is wanted at column 5"},
      {"{dp=} []", "a number below 10^9 is wanted at column 5"},
      {"{dp=1234567890} []", "a number below 10^9 is wanted at column 5"},
      {"{dp=0} []", "a size of at least 1 is wanted at column 5"},
      {"{dp=-2} []", "a number below 10^9 is wanted at column 5"},
      {"{a=1024,b=1025} []", "more than 1048576 ranks at column 11"},
      {"{dp=2,dp=2} []", "an axis of this name is there already at column 7"},
      {"{dp=2,} []", "an axis is wanted at column 7"},
      {"{dp=2", "'}' is wanted at column 6"},
      {"{dp=2 @} []", "a rank is wanted at column 8"},
      {"{dp=2 @ 3 2-1} []", "a range upwards is wanted at column 11"},
      {"{dp=2 @ 0-999999} []", "more ranks than the 2 places of the mesh at column 9"},
      {"{dp=2 @ 4 4 4} []", "more ranks than the 2 places of the mesh at column 13"},
      {"{dp=2 @ 4} []", "the mesh has 2 places but lists 1 ranks"},
      {"{dp=2 @ 4 4} []", "the mesh lists rank 4 twice"},
      {"{dp=2}", "'[' is wanted at column 7"},
      {"{dp=2} [dp", "']' is wanted at column 11"},
      {"{dp=2} [dp,]", "a name is wanted at column 12"},
      {"{dp=2} [- dp]", "']' is wanted at column 11"},
      {"{dp=2,tp=2} [dp, dp]", "the axis 'dp' is used twice at column 18"},
      {"{dp=2,tp=2} [dp, -] +dp", "the axis 'dp' is used twice at column 22"},
      {"{dp=2,tp=2} [tq]", "(nearest: 'tp', 'dp') at column 14"},
      {"{dp=2} [-] dp", "'+', 'max:', 'min:' or the end is wanted at column 12"},
      {"{dp=2} [-] +", "a name is wanted at column 13"},
      {"{dp=2} [-] max dp", "':' is wanted at column 16"},
      {"{dp=2} [-] , ", "'+', 'max:', 'min:' or the end is wanted at column 12"}};
  for (const auto& [text, wanted] : cases)
    EXPECT_NE(message_of(text).find(wanted), std::string::npos)
        << text << "\n"
        << message_of(text) << "\nwanted: " << wanted;
  EXPECT_NE(error_of([] { return parse_mesh("{dp=2} x"); }).find("the end is wanted at column 8"),
            std::string::npos);
  std::string many = "{a0=1";
  for (int a = 1; a < 65; ++a) many += ",a" + std::to_string(a) + "=1";
  EXPECT_NE(message_of(many + "} []").find("more than 64 axes"), std::string::npos);
  std::string dims = "{} [-";
  for (int d = 1; d < 65; ++d) dims += ",-";
  EXPECT_NE(message_of(dims + "]").find("more than 64 dims"), std::string::npos);
}

TEST(Mesh, RefusesWhatIsNoGridOfRanks) {
  EXPECT_NE(error_of([] {
              return make_mesh({{"a b", 2}});
            }).find("is called 'a b'"),
            std::string::npos);
  EXPECT_NE(error_of([] { return make_mesh({{"", 2}}); }).find("is called ''"), std::string::npos);
  EXPECT_NE(error_of([] {
              return make_mesh({{"a", 0}});
            }).find("has the size 0"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              return make_mesh({{"a", 2}}, {-1, 3});
            }).find("lists rank -1"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              return make_mesh({{"a", INT32_MAX}, {"b", INT32_MAX}});
            }).find("at most 1048576"),
            std::string::npos);
  EXPECT_NE(error_of([] { return parse_mesh("{a=2}")->place_of(2); }).find("rank 2 is not in"),
            std::string::npos);
  EXPECT_NE(error_of([] { return parse_mesh("{a=2 @ 4-5}")->place_of(0); }).find("rank 0"),
            std::string::npos);
}

TEST(Mesh, PlacesAreRowMajorAndGroupsShareAllOtherCoordinates) {
  for (const std::string_view text :
       {"{a=2,b=3,c=2}", "{a=3,b=1,c=4 @ 4-15}", "{a=2,b=2 @ 7 0 3 9}", "{a=5}", "{}"}) {
    const MeshPtr mesh = parse_mesh(text);
    const std::vector<Rank> ranks = all_ranks(*mesh);
    for (size_t place = 0; place < ranks.size(); ++place) {
      const Rank rank = ranks[place];
      EXPECT_EQ(mesh->place_of(rank), static_cast<int>(place));
      EXPECT_EQ(mesh->rank_at(static_cast<int>(place)), rank);
      const std::vector<int> at = coordinates_by_counting(*mesh, rank);
      for (AxisId axis = 0; axis < static_cast<AxisId>(at.size()); ++axis) {
        EXPECT_EQ(mesh->coordinate(rank, axis), at[static_cast<size_t>(axis)]);
        std::vector<Rank> group;
        for (const Rank other : ranks) {
          std::vector<int> there = coordinates_by_counting(*mesh, other);
          there[static_cast<size_t>(axis)] = at[static_cast<size_t>(axis)];
          if (there == at) group.push_back(other);
        }
        EXPECT_EQ(mesh->group(rank, axis), group) << text << " rank " << rank;
      }
    }
  }
}

TEST(LocalBox, HoldsTheElementsOfTheRanksParts) {
  std::mt19937 random(2);
  for (int i = 0; i < 1500; ++i) {
    Shape global;
    for (size_t d = random() % 4; d > 0; --d) global.push_back(random() % 9);
    const Layout layout = random_layout(random, global.size());
    for (const Rank rank : all_ranks(*layout.mesh))
      ASSERT_EQ(elements_in(local_box(layout, global, rank), global),
                elements_by_counting(layout, global, rank))
          << to_string(layout) << " " << to_string(global) << " rank " << rank;
  }
}

TEST(LocalBox, UnevenExtentsAreSplitByTheFloorRule) {
  const Layout layout = parse_layout("{a=3} [a]");
  EXPECT_EQ(local_box(layout, {7}, 0), (Box{{0}, {2}}));
  EXPECT_EQ(local_box(layout, {7}, 1), (Box{{2}, {2}}));
  EXPECT_EQ(local_box(layout, {7}, 2), (Box{{4}, {3}}));
  // Fewer elements than parts leave some ranks with nothing.
  EXPECT_TRUE(is_empty(local_box(layout, {2}, 0)));
  EXPECT_EQ(local_box(layout, {2}, 1), (Box{{0}, {1}}));
  EXPECT_EQ(local_box(layout, {2}, 2), (Box{{1}, {1}}));
  const int64_t huge = INT64_MAX;
  EXPECT_EQ(local_box(layout, {huge}, 2), (Box{{huge / 3 * 2}, {huge - huge / 3 * 2}}));
  EXPECT_NE(error_of([&] {
              return local_box(layout, {2, 2}, 0);
            }).find("1 dims but the tensor"),
            std::string::npos);
}

TEST(LocalBox, FinerCutsKeepTheBoundariesOfCoarserOnes) {
  for (int64_t extent = 0; extent < 40; ++extent)
    for (const std::string_view text : {"{a=2,b=3} [a b]", "{a=3,b=4} [b a]", "{a=5,b=2} [a b]"}) {
      const Layout fine = parse_layout(text);
      Layout coarse = fine;
      const AxisId minor = coarse.dims[0].back();
      coarse.dims[0].pop_back();
      for (const Rank rank : all_ranks(*fine.mesh)) {
        const Box outer = local_box(coarse, {extent}, rank);
        std::vector<int64_t> joined;
        for (const Rank other : fine.mesh->group(rank, minor))
          for (const int64_t element : elements_in(local_box(fine, {extent}, other), {extent}))
            joined.push_back(element);
        // The neighbours along the minor axis, one after the other, are the coarse part.
        EXPECT_EQ(joined, elements_in(outer, {extent})) << text << " of " << extent;
      }
    }
}

TEST(Layout, ValidateNamesWhatDoesNotFit) {
  Layout layout = parse_layout("{a=2,b=2} [a, b]");
  EXPECT_NO_THROW(validate(layout, 2));
  EXPECT_NE(error_of([&] {
              validate(layout, 3);
              return 0;
            }).find("2 dims but the tensor 3"),
            std::string::npos);
  layout.dims[1] = {0};
  EXPECT_NE(error_of([&] {
              validate(layout, 2);
              return 0;
            }).find("uses the axis 'a' twice"),
            std::string::npos);
  layout.dims[1] = {7};
  EXPECT_NE(error_of([&] {
              validate(layout, 2);
              return 0;
            }).find("uses axis 7 of a mesh of 2"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              validate(layout, 1);
              return 0;
            }).find("[a, ?7]"),
            std::string::npos);
  layout.dims = {{}, {}};
  layout.partial = {{1, ReduceOp::kSum}, {0, ReduceOp::kSum}};
  EXPECT_NE(error_of([&] {
              validate(layout, 2);
              return 0;
            }).find("order of the mesh"),
            std::string::npos);
}

TEST(Replicas, GroupsAreTheRanksWithEqualPartsInOrder) {
  std::mt19937 random(3);
  for (int i = 0; i < 500; ++i) {
    const Layout layout = random_layout(random, 1 + random() % 3);
    // An extent that every cut divides: parts are equal exactly where elements are.
    const Shape global(layout.dims.size(), 256 * 27);
    const auto part_of = [&](Rank rank) {
      std::vector<int64_t> part;
      const Box box = local_box(layout, global, rank);
      part.insert(part.end(), box.begin.begin(), box.begin.end());
      const std::vector<int> at = coordinates_by_counting(*layout.mesh, rank);
      for (const Partial& one : layout.partial) part.push_back(at[static_cast<size_t>(one.axis)]);
      return part;
    };
    std::map<std::vector<int64_t>, std::vector<Rank>> groups;
    for (const Rank rank : all_ranks(*layout.mesh)) groups[part_of(rank)].push_back(rank);
    std::vector<std::vector<Rank>> wanted;
    for (const auto& [part, ranks] : groups) wanted.push_back(ranks);
    ASSERT_EQ(replica_groups(layout), wanted) << to_string(layout);
    for (const Rank rank : all_ranks(*layout.mesh))
      ASSERT_EQ(replica_group(layout, rank), groups[part_of(rank)]) << to_string(layout);
  }
}

}  // namespace
}  // namespace tessera::testing
