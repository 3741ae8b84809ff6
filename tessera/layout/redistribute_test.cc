#include "tessera/layout/redistribute.h"

#include <chrono>

#include "tessera/base/error.h"
#include "tessera/layout/moves.h"
#include "tests/support/layout_oracle.h"

namespace tessera::testing {
namespace {

constexpr int64_t kBytes = 4;

std::string plan_text(std::string_view from, std::string_view to, const Shape& global,
                      const CostModel& model = {}) {
  return to_string(
      plan_redistribution(parse_layout(from), parse_layout(to), global, kBytes, model));
}

double exchange_cost(const Layout& from, const Layout& to, const Shape& global,
                     const CostModel& model) {
  return cost({from, {{StepKind::kExchange, -1, -1, -1, to}}}, global, kBytes, model);
}

bool may_follow(const Layout& to, const Layout& from) {
  return std::all_of(to.partial.begin(), to.partial.end(), [&](const Partial& partial) {
    return std::find(from.partial.begin(), from.partial.end(), partial) != from.partial.end();
  });
}

bool has(const Plan& plan, StepKind kind) {
  return std::any_of(plan.steps.begin(), plan.steps.end(),
                     [&](const Step& step) { return step.kind == kind; });
}

/// Plans, simulates and counts.
Plan check(const Layout& from, const Layout& to, const Shape& global, const CostModel& model) {
  Plan plan = plan_redistribution(from, to, global, kBytes, model);
  const double total = cost(plan, global, kBytes, model);
  EXPECT_LE(total, exchange_cost(from, to, global, model));
  const std::map<Rank, int64_t> received = expect_moves_every_element(plan, to, global);
  double most = 0;
  for (const Rank rank : all_ranks(*to.mesh)) {
    const Traffic counted = traffic(plan, global, kBytes, rank, model);
    if (!has(plan, StepKind::kAllReduce)) {
      const auto found = received.find(rank);
      EXPECT_EQ(counted.bytes, found == received.end() ? 0 : found->second * kBytes)
          << "rank " << rank << " of " << to_string(plan);
    }
    most = std::max(most, model.latency_bytes * static_cast<double>(counted.messages) +
                              static_cast<double>(counted.bytes));
  }
  // A plan costs what the busiest rank receives, step by step.
  EXPECT_GE(total, most) << to_string(plan);
  if (plan.steps.size() <= 1) {
    EXPECT_EQ(total, most) << to_string(plan);
  }
  return plan;
}

/// Checks every `stride`-th pair; returns how many plans have each kind of step.
std::map<StepKind, int> check_pairs(const std::vector<Layout>& sources,
                                    const std::vector<Layout>& targets, const Shape& global,
                                    size_t stride = 1) {
  std::map<StepKind, int> kinds;
  size_t pair = 0;
  for (const Layout& from : sources)
    for (const Layout& to : targets) {
      if (!may_follow(to, from) || ++pair % stride != 0) continue;
      const CostModel model{pair % 2 == 0 ? 64.0 * 1024 : 10.0};
      const Plan plan = check(from, to, global, model);
      if (::testing::Test::HasFailure()) return kinds;
      for (const Step& step : plan.steps) ++kinds[step.kind];
    }
  return kinds;
}

TEST(Redistribution, EveryPairOfLayoutsMovesEveryElement) {
  std::map<StepKind, int> kinds;
  const auto count = [&](const std::map<StepKind, int>& more) {
    for (const auto& [kind, times] : more) kinds[kind] += times;
  };
  for (const std::string_view text : {"{a=2,b=2}", "{a=2,b=3}", "{a=3,b=1,c=2}", "{a=2,b=2,c=2}"}) {
    const MeshPtr mesh = parse_mesh(text);
    for (const Shape& global : {Shape{7}, Shape{1}, Shape{5, 7}, Shape{4, 6}, Shape{5, 3, 7}}) {
      const std::vector<Layout> layouts = every_layout(mesh, global.size(), true);
      const size_t pairs = layouts.size() * layouts.size();
      count(check_pairs(layouts, layouts, global, std::max<size_t>(1, pairs / 700)));
      ASSERT_FALSE(HasFailure());
    }
  }
  for (const StepKind kind :
       {StepKind::kSlice, StepKind::kAllGather, StepKind::kAllToAll, StepKind::kReduceScatter,
        StepKind::kAllReduce, StepKind::kSendReceive, StepKind::kExchange})
    EXPECT_GT(kinds[kind], 20) << to_string(kind);
}

TEST(Redistribution, MeshesThatRefineEachOtherAreWalkedTogether) {
  const std::pair<std::string_view, std::string_view> meshes[] = {
      {"{a=4}", "{x=2,y=2}"},
      {"{a=2,b=3}", "{x=6}"},
      {"{a=4,b=2}", "{x=2,y=4}"},
      {"{a=2,b=2 @ 4-7}", "{x=4 @ 4-7}"}};
  for (const auto& [source, target] : meshes) {
    const auto kinds = check_pairs(every_layout(parse_mesh(source), 2, true),
                                   every_layout(parse_mesh(target), 2, false), {5, 7}, 3);
    EXPECT_GT(kinds.count(StepKind::kAllToAll), 0U);
    ASSERT_FALSE(HasFailure()) << source << " " << target;
  }
}

TEST(Redistribution, OtherRanksAndMeshesWithoutACommonRefinementExchange) {
  const std::pair<std::string_view, std::string_view> meshes[] = {
      {"{a=2,b=3}", "{x=3,y=2}"}, {"{a=2,b=2}", "{x=3}"},           {"{a=3}", "{x=2,y=4}"},
      {"{a=4 @ 4-7}", "{x=4}"},   {"{a=4}", "{x=2,y=2 @ 3 1 2 0}"}, {"{a=5}", "{}"}};
  for (const auto& [source, target] : meshes) {
    const auto kinds = check_pairs(every_layout(parse_mesh(source), 2, true),
                                   every_layout(parse_mesh(target), 2, false), {5, 7});
    EXPECT_EQ(kinds.count(StepKind::kAllGather) + kinds.count(StepKind::kAllToAll), 0U);
    EXPECT_GT(kinds.count(StepKind::kExchange), 0U);
    ASSERT_FALSE(HasFailure()) << source << " " << target;
  }
}

TEST(Redistribution, TakesTheCollectiveThatSaysIt) {
  const Shape big{1024, 2048};
  EXPECT_EQ(plan_text("{a=2,b=4} [a, b]", "{a=2,b=4} [a, b]", big), "{a=2,b=4} [a, b]");
  EXPECT_EQ(plan_text("{a=2,b=4} [-, -]", "{a=2,b=4} [-, b]", big),
            "{a=2,b=4} [-, -]\nslice b -> 1: [-, b]");
  EXPECT_EQ(plan_text("{a=2,b=4} [a b, -]", "{a=2,b=4} [a, -]", big),
            "{a=2,b=4} [a b, -]\nall_gather b 0: [a, -]");
  EXPECT_EQ(plan_text("{a=2,b=4} [a b, -]", "{a=2,b=4} [a, b]", big),
            "{a=2,b=4} [a b, -]\nall_to_all b 0 -> 1: [a, b]");
  // As cheap as the exchange, so the collectives are taken, although they are two steps.
  EXPECT_EQ(plan_text("{a=2,b=2} [a, -, -]", "{a=2,b=2} [-, a, b]", {64, 64, 64}),
            "{a=2,b=2} [a, -, -]\n"
            "slice b -> 2: [a, -, b]\n"
            "all_to_all a 0 -> 1: [-, a, b]");
  EXPECT_EQ(plan_text("{a=4} [-, -] +a", "{a=4} [-, -]", big),
            "{a=4} [-, -] +a\nall_reduce a: [-, -]");
  EXPECT_EQ(plan_text("{a=4} [-, -] max:a", "{a=4} [-, a]", big),
            "{a=4} [-, -] max:a\nreduce_scatter a -> 1: [-, a]");
  EXPECT_EQ(plan_text("{a=2,b=3} [a, b]", "{a=2,b=3 @ 5 4 3 2 1 0} [a, b]", big),
            "{a=2,b=3} [a, b]\nsend_receive: {a=2,b=3 @ 5 4 3 2 1 0} [a, b]");
}

TEST(Redistribution, ReducesAndScattersWhereTheNextLayoutAllowsIt) {
  // Scattering over b, which the target cuts, then gathering nothing: less than all-reduce and cut.
  const Plan plan = plan_redistribution(parse_layout("{a=2,b=4} [a, -] +b"),
                                        parse_layout("{a=2,b=4} [a, b]"), {64, 64}, kBytes);
  ASSERT_EQ(plan.steps.size(), 1U);
  EXPECT_EQ(plan.steps[0].kind, StepKind::kReduceScatter);
  // Kept partial sums stay, others go.
  EXPECT_EQ(plan_text("{a=2,b=4} [-, -] +a +b", "{a=2,b=4} [b, -] +a", {64, 64}),
            "{a=2,b=4} [-, -] +a +b\nreduce_scatter b -> 0: [b, -] +a");
}

TEST(Redistribution, PartialValuesAreReducedBeforeTheExchangeWhereThatIsCheaper) {
  EXPECT_EQ(plan_text("{a=2,b=4} [-, -] +b", "{x=12} [-, -]", {4096, 4096}),
            "{a=2,b=4} [-, -] +b\n"
            "reduce_scatter b -> 0: [b, -]\n"
            "exchange: {x=12} [-, -]");
  // Twelve ranks that want a twelfth each had rather fetch four terms of it.
  EXPECT_EQ(plan_text("{a=2,b=4} [-, -] +b", "{x=4,y=3} [x, y]", {4096, 4096}),
            "{a=2,b=4} [-, -] +b\nexchange: {x=4,y=3} [x, y]");
}

TEST(Redistribution, CostsFollowTheModel) {
  const Layout from = parse_layout("{a=4} [a, -]"), to = parse_layout("{a=4} [-, a]");
  const Plan plan = plan_redistribution(from, to, {8, 8}, 4);
  // Each rank keeps 2x2 of its 8x2 and gets the other 12 elements in 3 messages.
  EXPECT_EQ(cost(plan, {8, 8}, 4, {1000}), 3 * 1000 + 12 * 4);
  EXPECT_EQ(traffic(plan, {8, 8}, 4, 3), (Traffic{3, 48}));
  const Plan sum =
      plan_redistribution(parse_layout("{a=4} [-] +a"), parse_layout("{a=4} [-]"), {100}, 4, {1});
  EXPECT_EQ(cost(sum, {100}, 4, {1}), 6 * (1 + 25 * 4)) << "round a ring twice";
  EXPECT_EQ(cost(sum, {100}, 4, {1e6}), 3 * (1e6 + 400)) << "from every other rank";
}

TEST(Redistribution, EveryStepCostsWhatTheBusiestRankReceives) {
  const MeshPtr mesh = parse_mesh("{a=2,b=3,c=2}");
  const CostModel model{100};
  int steps = 0;
  for (const Shape& global : {Shape{5, 7}, Shape{3, 11}, Shape{6, 12}, Shape{1, 4}})
    for (const Layout& from : every_layout(mesh, 2, true)) {
      std::vector<Move> moves = moves_from(from);
      for (const Move& move : reductions_from(from, replicated(mesh, 2))) moves.push_back(move);
      for (const Move& move : moves) {
        const Step step{move.kind, move.axis, move.from_dim, move.to_dim, applied(from, move)};
        const Plan plan{from, {step}};
        double most = 0;
        for (Rank rank = 0; rank < 12; ++rank) {
          const Traffic one = traffic(plan, global, kBytes, rank, model);
          most = std::max(most, static_cast<double>(100 * one.messages + one.bytes));
        }
        ASSERT_EQ(cost(plan, global, kBytes, model), most)
            << to_string(plan) << " of " << to_string(global);
        ++steps;
      }
    }
  EXPECT_GT(steps, 1000);
}

TEST(Redistribution, NeverMakesPartialSumsAndRefusesWhatCannotBe) {
  const auto message = [](std::string_view from, std::string_view to) -> std::string {
    try {
      (void)plan_text(from, to, {4, 4});
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      return error.what();
    }
    return "no error";
  };
  EXPECT_NE(message("{a=2} [a, -]", "{a=2} [-, -] +a").find("a sum cannot be undone"),
            std::string::npos);
  EXPECT_NE(message("{a=2} [-, -] +a", "{a=2} [-, -] max:a").find("cannot be undone"),
            std::string::npos);
  EXPECT_NE(message("{a=2,b=2} [-, -] +a", "{x=3} [-, -] +x").find("can only stay on their mesh"),
            std::string::npos);
  EXPECT_NE(message("{a=2,b=2} [-, -] +a max:b", "{a=2,b=2} [-, -]").find("depends on their order"),
            std::string::npos);
  EXPECT_NE(message("{a=2} [a]", "{a=2} [a]").find("has 1 dims but the tensor 2"),
            std::string::npos);
  // An axis of size 1 holds nothing apart.
  EXPECT_EQ(message("{a=2,b=1} [a, b]", "{a=2,b=1} [a, -] +b"), "no error");
}

TEST(Redistribution, ManyAxesEndInBoundedTime) {
  std::vector<MeshAxis> axes;
  for (int a = 0; a < 10; ++a) axes.push_back({"a" + std::to_string(a), 2});
  const MeshPtr mesh = make_mesh(axes);
  const Shape global{100, 101, 102, 103};
  const std::string_view layouts[] = {
      "[a0 a1 a2, a3 a4 a5, a6 a7 a8, a9]", "[a9 a3, a0 a7 a5 a4, a1 a8, a6]",
      "[-, -, a3 a2 a1 a0 a9 a4, -]", "[-, -, -, -] +a0 +a1 +a2 +a3 +a4 +a5 +a6 +a7 +a8 +a9"};
  size_t most = 0;
  const auto start = std::chrono::steady_clock::now();
  for (const std::string_view source : layouts)
    for (const std::string_view target : layouts) {
      const Layout from = parse_layout(source, mesh), to = parse_layout(target, mesh);
      if (!may_follow(to, from)) continue;
      const Plan plan = plan_redistribution(from, to, global, kBytes);
      EXPECT_LE(cost(plan, global, kBytes), exchange_cost(from, to, global, {}));
      EXPECT_EQ(plan.steps.empty() ? plan.from : plan.steps.back().after, to);
      most = std::max(most, plan.steps.size());
    }
  EXPECT_GE(most, 10U) << "the way straight ahead is known where the layouts are too many";
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

TEST(Redistribution, EmptyTensorsAndScalarsHavePlans) {
  check(parse_layout("{a=2,b=2} [a, b]"), parse_layout("{a=2,b=2} [-, a]"), {0, 7}, {});
  check(parse_layout("{a=2,b=2} []"), parse_layout("{c=3} []"), {}, {});
  check(parse_layout("{a=2,b=2} [] +a +b"), parse_layout("{a=2,b=2} [] +b"), {}, {});
}

TEST(Exchange, PartsFillTheBoxOnceFromRanksThatHoldThem) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"{a=2,b=3} [b, a]", "{x=4} [-, x]"},
      {"{a=8} [a, -]", "{x=2,y=2} [x, y]"},
      {"{a=2,b=3,c=2} [c a, b]", "{x=5} [x, -]"},
      {"{a=2,b=2,c=2} [a b c, -]", "{a=2,b=2,c=2} [c, b a]"},
      {"{a=2,b=2,c=2} [c, -] +a +b", "{a=2,b=2,c=2} [-, b] +a"},
      {"{a=2,b=2 @ 9 3 4 1} [-, -]", "{x=3 @ 1-3} [x, -]"}};
  const Shape global{5, 7};
  for (const auto& [source, target] : cases) {
    const Layout from = parse_layout(source), to = parse_layout(target);
    for (const Rank rank : all_ranks(*to.mesh)) {
      const auto terms = exchange_parts(from, to, global, rank);
      EXPECT_EQ(terms.size(), from.partial.size() == 2 ? 2U : 1U);
      Traffic counted;
      for (const auto& parts : terms) {
        std::vector<int64_t> filled;
        for (const Receive& part : parts) {
          EXPECT_TRUE(contains(local_box(from, global, part.source), part.box));
          const Shape& begin = part.box.begin;
          for (int64_t r = begin[0]; r < begin[0] + part.box.size[0]; ++r)
            for (int64_t c = begin[1]; c < begin[1] + part.box.size[1]; ++c)
              filled.push_back(r * global[1] + c);
          if (part.source == rank) continue;
          counted.messages += 1;
          counted.bytes += element_count(part.box.size) * kBytes;
        }
        std::sort(filled.begin(), filled.end());
        EXPECT_EQ(filled, elements_by_counting(to, global, rank));
      }
      EXPECT_EQ(exchange_traffic(from, to, global, kBytes, rank), counted);
    }
  }
}

TEST(Exchange, ReplicasShareTheSending) {
  const Layout from = parse_layout("{a=4,b=2} [b]"), to = parse_layout("{a=4,b=2} [-]");
  std::map<Rank, int> sends;
  for (Rank rank = 0; rank < 8; ++rank) {
    const auto terms = exchange_parts(from, to, {6}, rank);
    for (const Receive& part : terms.at(0))
      if (part.source != rank) ++sends[part.source];
  }
  EXPECT_EQ(sends.size(), 8U);
  for (const auto& [rank, count] : sends) EXPECT_EQ(count, 1) << "rank " << rank;
}

TEST(SimulatePlan, FindsPlansThatAreWrong) {
  const Layout from = parse_layout("{a=2,b=2} [a, -] +b"), to = parse_layout("{a=2,b=2} [-, b]");
  const Shape global{5, 7};
  const Terms terms(from, global, 1);
  const auto shards = shards_of(terms, from, global);
  const Plan good = plan_redistribution(from, to, global, kBytes);
  EXPECT_NO_THROW((void)run_plan(good, global, shards));
  Plan lost = good;  // the sum is never taken
  for (Step& step : lost.steps)
    if (step.kind == StepKind::kReduceScatter) step.kind = StepKind::kSlice;
  EXPECT_THROW((void)run_plan(lost, global, shards), Error);
  const Layout whole = replicated(from.mesh, 2);
  const Layout half = parse_layout("[a, -]", from.mesh);
  const auto run = [&](const Layout& source, const Step& step) {
    return run_plan<int64_t>({source, {step}}, global,
                             shards_of(Terms(source, global, 1), source, global));
  };
  EXPECT_NO_THROW((void)run(half, {StepKind::kAllGather, 0, 0, -1, whole}));
  EXPECT_THROW((void)run(half, {StepKind::kAllGather, 1, 0, -1, whole}), Error) << "wrong axis";
  EXPECT_THROW((void)run(half, {StepKind::kSlice, 0, -1, 0, whole}), Error) << "out of nothing";
  EXPECT_THROW((void)run(whole, {StepKind::kAllGather, 0, 0, -1, whole}), Error) << "held twice";
  EXPECT_THROW((void)run(from, {StepKind::kAllGather, 0, 0, -1, whole}), Error) << "sum lost";
  EXPECT_THROW((void)run(half, {StepKind::kAllReduce, 1, -1, -1, half}), Error) << "no sum";
  EXPECT_THROW((void)run_plan(good, {5, 8}, shards), Error) << "other boxes";
  const std::map<Rank, Shard<double>> numbers = {{0, {{{0}, {1}}, {0.5}}}, {1, {{{0}, {1}}, {2}}}};
  const Layout sum = parse_layout("{a=2} [-] +a");
  const PlanRun<double> added =
      run_plan(plan_redistribution(sum, parse_layout("{a=2} [-]"), {1}, 8), {1}, numbers);
  EXPECT_EQ(added.shards.at(1).values, std::vector<double>{2.5});
}

}  // namespace
}  // namespace tessera::testing
