#include "tessera/base/error.h"
#include "tests/support/layout_oracle.h"

namespace tessera::testing {
namespace {

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

void expect_same_boxes(const Layout& a, const Layout& b) {
  const Shape global(a.dims.size(), 35);
  ASSERT_EQ(all_ranks(*a.mesh), all_ranks(*b.mesh));
  for (const Rank rank : all_ranks(*a.mesh))
    ASSERT_EQ(local_box(a, global, rank), local_box(b, global, rank))
        << to_string(a) << " and " << to_string(b) << " rank " << rank;
}

/// The ways to write `size` as a product of numbers, 1 included now and then.
std::vector<int> random_factors(std::mt19937& random, int size) {
  std::vector<int> factors;
  while (size > 1 || factors.empty()) {
    std::vector<int> divisors;
    for (int f = 1; f <= size; ++f)
      if (size % f == 0) divisors.push_back(f);
    factors.push_back(divisors[random() % divisors.size()]);
    size /= factors.back();
  }
  return factors;
}

TEST(Refine, EveryRankKeepsItsBoxAndItsPartialValues) {
  std::mt19937 random(4);
  int refined_axes = 0;
  for (int i = 0; i < 1000; ++i) {
    const Layout layout = random_layout(random, random() % 4);
    if (layout.mesh->axes.empty()) continue;
    const auto axis = static_cast<AxisId>(random() % layout.mesh->axes.size());
    const MeshAxis& old = layout.mesh->axes[static_cast<size_t>(axis)];
    const std::vector<int> factors = random_factors(random, old.size);
    const MeshPtr mesh = refine(layout.mesh, axis, factors);
    ++refined_axes;
    for (size_t f = 0; f < factors.size(); ++f) {
      const auto part = mesh->find(fmt::format("{}.{}", old.name, f));
      ASSERT_TRUE(part.has_value());
      EXPECT_EQ(mesh->axes[static_cast<size_t>(*part)].size, factors[f]);
    }
    const Layout moved = rebase(layout, mesh);
    validate(moved, layout.dims.size());
    expect_same_boxes(layout, moved);
    EXPECT_EQ(replica_groups(moved), replica_groups(layout)) << to_string(layout);
  }
  EXPECT_GT(refined_axes, 500);
}

TEST(Refine, RefusesSizesThatDoNotMultiplyToTheAxis) {
  const MeshPtr mesh = parse_mesh("{a=12,b=2}");
  const auto error = [&](AxisId axis, std::vector<int> sizes) {
    return error_of([&] { return refine(mesh, axis, sizes); });
  };
  EXPECT_NE(error(0, {3, 5}).find("multiply to 15 or more but the axis 'a' has 12"),
            std::string::npos);
  EXPECT_NE(error(0, {-3, -4}).find("parts of size -3"), std::string::npos);
  EXPECT_NE(error(0, {}).find("multiply to 1"), std::string::npos);
  EXPECT_NE(error(0, {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX}).find("multiply"),
            std::string::npos);
  EXPECT_NE(error(2, {2}).find("no axis 2"), std::string::npos);
  EXPECT_EQ(to_string(*refine(mesh, 0, std::vector<int>{3, 1, 4})), "{a.0=3,a.1=1,a.2=4,b=2}");
}

TEST(Rebase, RefusesMeshesThatDoNotRefine) {
  const auto error = [](std::string_view layout, std::string_view mesh) {
    return error_of([&] { return rebase(parse_layout(layout), parse_mesh(mesh)); });
  };
  EXPECT_NE(error("{a=2,b=3} [a]", "{x=3,y=2}").find("reach 3 where 'a' has 2"), std::string::npos);
  EXPECT_NE(error("{a=2,b=3} [a]", "{x=2,y=2}").find("its ranks are others"), std::string::npos);
  EXPECT_NE(error("{a=2} [a]", "{x=2 @ 4-5}").find("its ranks are others"), std::string::npos);
  EXPECT_EQ(to_string(rebase(parse_layout("{a=4,b=1} [b, a] "), parse_mesh("{x=2,y=1,z=2,w=1}"))),
            "{x=2,y=1,z=2,w=1} [w, x y z]");
  EXPECT_EQ(to_string(rebase(parse_layout("{a=4} [-] max:a"), parse_mesh("{x=2,y=2}"))),
            "{x=2,y=2} [-] max:x max:y");
}

TEST(CommonRefinement, IsTheCoarsestMeshThatRefinesBoth) {
  const auto common = [](std::string_view a, std::string_view b) -> std::string {
    const MeshPtr mesh = common_refinement(parse_mesh(a), parse_mesh(b));
    return mesh ? to_string(*mesh) : "none";
  };
  EXPECT_EQ(common("{a=8,b=4}", "{x=2,y=16}"), "{a.0=2,a.1=4,b=4}");
  EXPECT_EQ(common("{a=2,b=3}", "{x=6}"), "{a=2,b=3}");
  EXPECT_EQ(common("{x=6}", "{a=2,b=3}"), "{x.0=2,x.1=3}");
  EXPECT_EQ(common("{a=2,b=3}", "{x=3,y=2}"), "none");
  EXPECT_EQ(common("{a=1,b=4,c=1}", "{b=4}"), "{b=4}");
  EXPECT_EQ(common("{}", "{a=1}"), "{}");
  EXPECT_EQ(common("{a=4,b=2 @ 8-15}", "{x=2,y=4 @ 8-15}"), "{a.0=2,a.1=2,b=2 @ 8-15}");
  EXPECT_EQ(common("{t=4,t.0=2}", "{x=2,y=4}"), "{d0=2,d1=2,d2=2}") << "names stay apart";
  EXPECT_NE(error_of([&] { return common("{a=4}", "{a=2}"); }).find("different ranks"),
            std::string::npos);
  EXPECT_NE(error_of([&] { return common("{a=2}", "{a=2 @ 1 0}"); }).find("different ranks"),
            std::string::npos);
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    const int size = std::vector<int>{8, 12, 16, 24, 30}[random() % 5];
    const auto mesh_of = [&](const char* name) {
      std::vector<MeshAxis> axes;
      for (const int factor : random_factors(random, size))
        axes.push_back({name + std::to_string(axes.size()), factor});
      return make_mesh(axes);
    };
    const MeshPtr a = mesh_of("a"), b = mesh_of("b");
    const MeshPtr both = common_refinement(a, b);
    if (!both) continue;
    for (const MeshPtr& mesh : {a, b}) {
      Layout all = replicated(mesh, 1);
      for (AxisId axis = 0; axis < static_cast<AxisId>(mesh->axes.size()); ++axis)
        all.dims[0].push_back(axis);
      expect_same_boxes(all, rebase(all, both));
    }
  }
}

/// Who holds which rows, said as the reference says it: ranks with the same part in order, chunks
/// of `size`, and the position in the chunk selects a part of the rows that the rank had.
std::map<Rank, std::vector<int64_t>> rows_by_counting(const Layout& layout, int size,
                                                      int64_t rows) {
  std::map<std::vector<int>, std::vector<Rank>> groups;
  for (const Rank rank : all_ranks(*layout.mesh)) {
    const std::vector<int> at = coordinates_by_counting(*layout.mesh, rank);
    std::vector<int> part;
    for (const auto& dim : layout.dims)
      for (const AxisId axis : dim) part.push_back(at[static_cast<size_t>(axis)]);
    groups[part].push_back(rank);
  }
  std::map<Rank, std::vector<int64_t>> held;
  for (const auto& [part, ranks] : groups) {
    const size_t chunk = size == -1 ? ranks.size() : static_cast<size_t>(size);
    for (size_t i = 0; i < ranks.size(); ++i) {
      Layout first = layout;
      first.dims.resize(1);
      const std::vector<int64_t> had = elements_by_counting(first, {rows}, ranks[i]);
      const size_t each = had.size() / chunk, begin = i % chunk * each;
      held[ranks[i]] = {had.begin() + static_cast<std::ptrdiff_t>(begin),
                        had.begin() + static_cast<std::ptrdiff_t>(begin + each)};
    }
  }
  return held;
}

TEST(ShardOptimizer, CutsTheRowsOfEqualPartsInChunksOfNeighbours) {
  std::mt19937 random(6);
  int cut = 0, refused = 0;
  for (int i = 0; i < 1000; ++i) {
    Layout layout = random_layout(random, 1 + random() % 3);
    layout.partial.clear();
    const auto group = static_cast<int>(replica_groups(layout).front().size());
    const int size = random() % 4 == 0 ? -1 : 1 + static_cast<int>(random() % 13);
    if (group == 1 || (size > 0 && group % size != 0)) {
      EXPECT_THROW((void)shard_optimizer(layout, 0, size), Error);
      continue;
    }
    // Rows that every cut divides, and dims so that a row stays whole.
    const int64_t rows = int64_t{layout.mesh->rank_count()} * group;
    const auto wanted = rows_by_counting(layout, size, rows);
    std::optional<Layout> sharded;
    try {
      sharded = shard_optimizer(layout, 0, size);
    } catch (const Error& error) {
      // Chunks that are no boxes of the mesh, such as 3 of 3 x 2 ranks.
      EXPECT_NE(std::string(error.what()).find("do not follow the axes"), std::string::npos);
      ++refused;
      continue;
    }
    ++cut;
    validate(*sharded, layout.dims.size());
    for (const auto& [rank, held] : wanted) {
      Layout first = *sharded;
      first.dims.resize(1);
      ASSERT_EQ(elements_by_counting(first, {rows}, rank), held)
          << to_string(layout) << " size " << size << " gives " << to_string(*sharded);
      for (size_t d = 1; d < layout.dims.size(); ++d)
        ASSERT_EQ(part_index(*sharded, d, rank), part_index(layout, d, rank));
    }
  }
  EXPECT_GT(cut, 150);
  EXPECT_GT(refused, 1);
}

TEST(ShardOptimizer, SaysWhyItCannotCut) {
  const auto error = [](std::string_view layout, int step, int size) {
    return error_of([&] { return shard_optimizer(parse_layout(layout), step, size); });
  };
  EXPECT_NE(error("{a=2,b=2} [a b]", 0, -1).find("no axis is repeated"), std::string::npos);
  EXPECT_NE(error("{a=2,b=2} []", 0, -1).find("a scalar"), std::string::npos);
  EXPECT_NE(error("{a=4,b=2} [b]", 2, 3).find("chunks of 3 do not divide the 4 ranks"),
            std::string::npos);
  EXPECT_NE(error("{a=4,b=2} [b]", 2, 0).find("chunks of 0"), std::string::npos);
  EXPECT_NE(error("{a=4,b=2} [b]", 2, -2).find("chunks of -2"), std::string::npos);
  EXPECT_NE(error("{a=4,b=2} [b]", 3, 2)
                .find("the step is 3 but neighbours along the repeated "
                      "axis 'a' are 2 apart"),
            std::string::npos);
  EXPECT_NE(error("{a=4,b=2} [b]", 3, 2).find("cutting {a=4,b=2} [b] by optimizer sharding"),
            std::string::npos);
  EXPECT_NE(error("{a=3,b=2,c=2} [c]", 0, 3).find("the axis 'b' of 2 cannot be cut by the 3"),
            std::string::npos);
  EXPECT_EQ(error("{a=4,b=2} [b]", 2, 2), "no error");
}

}  // namespace
}  // namespace tessera::testing
