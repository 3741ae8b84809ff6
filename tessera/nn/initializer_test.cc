#include "tessera/nn/initializer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tessera/nn/layers.h"

namespace tessera {
namespace {

using Kind = Distribution::Kind;

struct Case {
  const char* name;
  Initializer init;
  Kind kind;
  double spread;
};

// A weight of [64,32,3,3]: fan in 288, fan out 576. MindSpore 2.10 gives the same: of HeUniform the
// largest number is 0.05892, of XavierUniform 0.0833, the deviation of HeNormal by fan out 0.0591.
TEST(Initializer, SpreadsByTheFanOfTheWeight) {
  const Case cases[] = {
      {"uniform", uniform(0.07), Kind::kUniform, 0.07},
      {"normal", normal(0.02), Kind::kNormal, 0.02},
      {"he_uniform", default_weight_init(), Kind::kUniform, 1 / std::sqrt(288.0)},
      {"he_normal", he_normal(), Kind::kNormal, std::sqrt(2 / 288.0)},
      {"by fan out", he_normal({.fan = Fan::kOut}), Kind::kNormal, std::sqrt(2 / 576.0)},
      {"tanh", he_normal({.nonlinearity = "tanh"}), Kind::kNormal, 5.0 / 3 / std::sqrt(288.0)},
      {"slope", he_uniform({.negative_slope = 2}), Kind::kUniform, std::sqrt(6 / 5.0 / 288)},
      {"xavier_uniform", xavier_uniform(), Kind::kUniform, std::sqrt(6 / 864.0)},
      {"xavier_normal", xavier_normal(3), Kind::kNormal, 3 * std::sqrt(2 / 864.0)},
      {"bias", default_bias_init({64, 32, 3, 3}), Kind::kUniform, 1 / std::sqrt(288.0)},
  };
  for (const Case& one : cases) {
    const Distribution found = one.init.of({64, 32, 3, 3});
    EXPECT_EQ(found.kind, one.kind) << one.name;
    EXPECT_NEAR(found.spread, one.spread, 1e-12) << one.name;
    EXPECT_EQ(found.center, 0.0) << one.name;
  }
}

TEST(Initializer, BoundsAreOfValuesButFollowTheFan) {
  EXPECT_EQ(truncated_normal(0.5, 1, -1, 3).of({8}).low, -1.0);
  Initializer init = truncated_normal(1, 0, -2, 2);
  init.fan = Fan::kIn;
  EXPECT_EQ(init.of({5, 16}).spread, 0.25);
  EXPECT_EQ(init.of({5, 16}).high, 0.5);
}

TEST(Initializer, AFanWantsAWeight) {
  EXPECT_THROW(he_normal().of({8}), Error);
  EXPECT_THROW(he_normal({.nonlinearity = "relu7"}), Error);
  EXPECT_EQ(he_normal().of({8, 0}), Distribution{});
}

TEST(Initializer, LayersGiveItToTheirParameters) {
  Graph graph;
  const Value x{&graph, graph.add_input("x", DType::kF32, {2, 4, 9, 9})};
  const Scope root(graph);
  Value y = conv2d(root / "conv", x, {.out = 6, .kernel = 3, .bias = true});
  y = flatten(root, batch_norm(root / "bn", y));
  dense(root / "fc", y, 5, {.weight_init = normal(0.02), .bias_init = constant(3)});
  const auto initial = [&](const char* name) {
    return graph.values[static_cast<size_t>(graph.find(name).value())].initial;
  };
  EXPECT_EQ(initial("conv.weight"), default_weight_init().of({6, 4, 3, 3}));
  EXPECT_EQ(initial("conv.bias"), uniform(1 / 6.0).of({6}));
  EXPECT_EQ(initial("bn.moving_variance"), ones().of({6}));
  EXPECT_EQ(initial("bn.moving_mean"), zeros().of({6}));
  EXPECT_EQ(initial("bn.gamma"), ones().of({6}));
  EXPECT_EQ(initial("bn.beta"), zeros().of({6}));
  EXPECT_EQ(initial("fc.weight"), normal(0.02).of({5, 486}));
  EXPECT_EQ(initial("fc.bias"), constant(3).of({5}));
}

}  // namespace
}  // namespace tessera
