// The kernels of deterministic programs: an element has the same bits however the call is cut over
// ranks (but for what is summed), on however many threads.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "tessera/ops/registry.h"
#include "tessera/ops/threads.h"
#include "tests/sweep/simulate.h"

namespace tessera::testing {
namespace {

/// The kernel that a deterministic program chooses.
const Kernel& kernel_of(const OpDef& op, const OpCall& call) {
  for (const Kernel& kernel : op.kernels)
    if (kernel.position_independent && (kernel.supports == nullptr || kernel.supports(call).ok))
      return kernel;
  fail(ErrorCode::kInternal, "no kernel of {} is position-independent", op.name);
}

std::vector<Tensor> run_deterministic(const OpDef& op, const OpCall& call,
                                      std::span<const Tensor> operands) {
  const Kernel& kernel = kernel_of(op, call);
  if (kernel.function != nullptr) return run_reference(op, call, operands);
  std::vector<Tensor> results;
  for (const TensorType& type : call.results) results.emplace_back(type.dtype, type.shape());
  kernel.prepare(call, {})->run(operands, results);
  return results;
}

/// Empty, or the first element whose bits differ.
std::string bits_differ(const Tensor& wanted, const Tensor& found) {
  if (wanted.shape() != found.shape()) return "shapes differ";
  const auto a = wanted.bytes();
  const auto b = found.bytes();
  const auto at = std::mismatch(a.begin(), a.end(), b.begin());
  if (at.first == a.end()) return {};
  return fmt::format("element {} of {}", (at.first - a.begin()) / byte_size(wanted.dtype()),
                     describe(wanted));
}

/// Whether no summed factor is cut.
bool keeps_sums(const ShardingRule& rule, const Sharding& sharding) {
  return std::none_of(sharding.factors.begin(), sharding.factors.end(),
                      [&](FactorId f) { return f >= 0 && is_reduced(rule, f); });
}

/// Cuts the call in every way that keeps sums whole; gives how many ways that is.
int expect_same_bits_of_every_cut(const ExampleCall& made, const std::vector<Tensor>& whole) {
  const ShardingRule rule = rule_of(*made.op, made.call());
  int cuts = 0;
  for (const std::vector<int64_t>& mesh : {std::vector<int64_t>{2}, {3}, {2, 2}, {7}}) {
    for (const Sharding& sharding : every_sharding(rule, mesh)) {
      if (!is_legal(rule, sharding) || !keeps_sums(rule, sharding)) continue;
      SCOPED_TRACE(sharding.text(rule));
      const std::vector<Tensor> found = simulate(made, rule, sharding, run_deterministic);
      for (size_t r = 0; r < whole.size(); ++r) EXPECT_EQ(bits_differ(whole[r], found[r]), "");
      ++cuts;
    }
  }
  return cuts;
}

class DeterministicOp : public ::testing::TestWithParam<std::string> {};

std::vector<std::string> op_names() {
  std::vector<std::string> names;
  for (const OpDef& op : all_ops()) names.emplace_back(op.name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(Every, DeterministicOp, ::testing::ValuesIn(op_names()),
                         [](const auto& name) { return name.param; });

TEST_P(DeterministicOp, HasTheSameBitsForEveryCutThatKeepsSumsWhole) {
  const OpDef& op = require_op(GetParam());
  int cuts = 0;
  for (const OpExample& example : op.examples) {
    const ExampleCall made = make_call(op, example);
    SCOPED_TRACE(made.text());
    const std::vector<Tensor> whole = run_deterministic(op, made.call(), made.operands);
    cuts += expect_same_bits_of_every_cut(made, whole);
  }
  RecordProperty("cuts", std::to_string(cuts));
  EXPECT_GT(cuts, 0);
}

class DeterministicFunction : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Every, DeterministicFunction,
                         ::testing::Values("exp", "gelu", "leaky_relu", "neg", "relu", "relu6",
                                           "sigmoid", "sqrt", "tanh"),
                         [](const auto& name) { return name.param; });

TEST_P(DeterministicFunction, RoundsAnElementAloneAsAmongThousand) {
  const OpDef& op = require_op(GetParam());
  OpExample example = op.examples[0];
  example.shapes = {{1021}};
  ExampleCall made = make_call(op, example);
  for (float& x : made.operands[0].mutable_data<float>()) x *= 8;
  const Tensor whole = run_deterministic(op, made.call(), made.operands)[0];
  example.shapes = {{1}};
  ExampleCall alone = make_call(op, example);
  for (size_t i = 0; i < 1021; ++i) {
    alone.operands[0].mutable_data<float>()[0] = made.operands[0].data<float>()[i];
    const Tensor one = run_deterministic(op, alone.call(), alone.operands)[0];
    ASSERT_EQ(std::memcmp(one.data<float>().data(), whole.data<float>().data() + i, 4), 0) << i;
  }
}

/// A call of dense, matmul or conv2d with odd extents.
OpExample random_example(std::string_view op, std::mt19937& random) {
  const auto draw = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  constexpr std::array<const char*, 6> kActivations = {"",     "relu",    "leaky_relu",
                                                       "gelu", "sigmoid", "tanh"};
  OpExample example;
  example.attrs["activation"] = std::string(kActivations[static_cast<size_t>(draw(0, 5))]);
  example.attrs["alpha"] = 0.1;
  const int64_t ends = draw(0, 2);  // bias, residual
  const int64_t n = draw(1, 70);
  const int64_t m = draw(1, 40);
  const int64_t k = draw(0, 90);
  if (op == "dense") {
    example.shapes = {{m, k}, {n, k}, {n}, {m, n}};
  } else if (op == "matmul") {
    const bool a = draw(0, 1) == 1;
    const bool b = draw(0, 1) == 1;
    example.attrs["transpose_a"] = a;
    example.attrs["transpose_b"] = b;
    const int64_t batch = draw(1, 5);
    example.shapes = {a ? Shape{batch, k, m} : Shape{batch, m, k},
                      b ? Shape{n, k} : Shape{k, n},
                      {n},
                      {batch, m, n}};
  } else {
    const int64_t groups = draw(1, 3);
    const int64_t height = draw(5, 20);
    const int64_t width = draw(5, 40);
    const int64_t stride = draw(1, 2);
    example.attrs["groups"] = groups;
    example.attrs["stride"] = Ints{draw(1, 2), stride};
    example.attrs["dilation"] = Ints{draw(1, 2), draw(1, 2)};
    example.shapes = {{draw(1, 4), groups * draw(1, 5), height, width}, {}, {}, {}};
    const Shape& x = example.shapes[0];
    example.shapes[1] = {groups * draw(1, 20), x[1] / groups, draw(1, 3), draw(1, 3)};
    example.shapes[2] = {example.shapes[1][0]};
    example.shapes[3] = {x[0], example.shapes[1][0], height, (width + stride - 1) / stride};
    const int64_t step = std::get<Ints>(example.attrs["stride"])[0];
    example.shapes[3][2] = (height + step - 1) / step;
  }
  example.shapes.resize(static_cast<size_t>(2 + ends));
  return example;
}

void expect_close(const Tensor& wanted, const Tensor& found) {
  double largest = 0;
  for (const float y : wanted.data<float>()) largest = std::max(largest, std::abs(double{y}));
  for (size_t i = 0; i < wanted.data<float>().size(); ++i) {
    const double error = std::abs(double{wanted.data<float>()[i]} - found.data<float>()[i]);
    ASSERT_LE(error, 1e-5 * largest) << "element " << i;
  }
}

class DeterministicProduct : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Every, DeterministicProduct,
                         ::testing::Values("dense", "matmul", "conv2d"),
                         [](const auto& name) { return name.param; });

TEST_P(DeterministicProduct, OfRandomShapesHasTheSameBitsForEveryCutAndIsCloseToTheReference) {
  const OpDef& op = require_op(GetParam());
  for (unsigned seed = 0; seed < 40; ++seed) {
    std::mt19937 random(seed);
    const ExampleCall made = make_call(op, random_example(GetParam(), random));
    SCOPED_TRACE(fmt::format("seed {}: {}", seed, made.text()));
    ASSERT_STREQ(std::string(kernel_of(op, made.call()).name).c_str(), "exact");
    const std::vector<Tensor> whole = run_deterministic(op, made.call(), made.operands);
    expect_close(run_reference(op, made.call(), made.operands)[0], whole[0]);
    expect_same_bits_of_every_cut(made, whole);
    if (HasFailure()) return;
  }
}

TEST_P(DeterministicProduct, EndsAsTheOpsThatAreFusedIntoItWould) {
  const OpDef& op = require_op(GetParam());
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    const OpExample example = random_example(GetParam(), random);
    const ExampleCall fused = make_call(op, example);
    SCOPED_TRACE(fmt::format("seed {}: {}", seed, fused.text()));
    const Tensor wanted = run_deterministic(op, fused.call(), fused.operands)[0];
    const auto step = [&](std::string_view name, std::vector<Tensor> operands, Attrs attrs) {
      ExampleCall made;
      made.op = &require_op(name);
      made.attrs = complete_attrs(*made.op, std::move(attrs));
      for (const Tensor& x : operands) made.operand_types.emplace_back(x.dtype(), x.shape());
      made.result_types = infer_results(*made.op, made.operand_types, made.attrs);
      return run_deterministic(*made.op, made.call(), operands)[0];
    };
    Attrs plain = fused.attrs;
    plain["activation"] = std::string();
    Tensor y = step(op.name, {fused.operands[0], fused.operands[1]}, plain);
    if (fused.operands.size() > 2) {
      const bool channels = GetParam() == "conv2d";
      y = step(channels ? "bias_add" : "add", {y, fused.operands[2]}, {});
    }
    if (fused.operands.size() > 3) y = step("add", {y, fused.operands[3]}, {});
    const auto& activation = std::get<std::string>(fused.attrs.at("activation"));
    Attrs alpha;
    if (activation == "leaky_relu") alpha["alpha"] = 0.1;
    if (!activation.empty()) y = step(activation, {y}, alpha);
    ASSERT_EQ(bits_differ(wanted, y), "");
  }
}

TEST_P(DeterministicProduct, HasTheSameBitsOnOneTwoAndThreeThreads) {
  const OpDef& op = require_op(GetParam());
  OpExample example{{{96, 400}, {120, 400}, {120}}};  // work for many threads
  if (GetParam() == "matmul") example = {{{3, 70, 300}, {3, 300, 130}}};
  if (GetParam() == "conv2d") example = {{{3, 16, 30, 31}, {24, 16, 3, 3}, {24}}};
  const ExampleCall made = make_call(op, example);
  std::vector<Tensor> first;
  for (const int threads : {1, 2, 3}) {
    const ThreadLimit limit(threads);
    std::vector<Tensor> found = run_deterministic(op, made.call(), made.operands);
    if (threads == 1) first = found;
    EXPECT_EQ(bits_differ(first[0], found[0]), "") << threads;
  }
}

TEST(DeterministicDense, OfThirtyTwoRowsHasTheBitsOfEightRowsAtATime) {
  const OpDef& op = require_op("dense");
  const ExampleCall whole = make_call(op, {{{32, 400}, {120, 400}, {120}}});
  const Tensor wanted = run_deterministic(op, whole.call(), whole.operands)[0];
  for (const int64_t rows : {1, 2, 3, 5, 8, 13, 31}) {
    for (int64_t begin = 0; begin < 32; begin += rows) {
      const int64_t count = std::min(rows, 32 - begin);
      ExampleCall part = whole;
      part.operands[0] = whole.operands[0].slice({{begin, 0}, {count, 400}}).clone();
      part.operand_types[0] = {DType::kF32, {count, 400}};
      part.result_types[0] = {DType::kF32, {count, 120}};
      const Tensor found = run_deterministic(op, part.call(), part.operands)[0];
      ASSERT_EQ(bits_differ(wanted.slice({{begin, 0}, {count, 120}}).clone(), found), "")
          << rows << " rows from " << begin;
    }
  }
}

TEST(DeterministicPool, TakesTheSameOfZerosOfBothSignsInTheMiddleAndAtTheEnd) {
  const OpDef& op = require_op("max_pool");
  for (const int64_t width : {2, 8, 34, 40}) {
    ExampleCall made =
        make_call(op, {{{2, 3, 4, width}}, {{"kernel", Ints{2, 2}}, {"stride", Ints{2, 2}}}});
    unsigned i = 0;
    for (float& x : made.operands[0].mutable_data<float>()) x = ++i * 7 % 5 < 2 ? -0.0F : 0.0F;
    const Tensor whole = run_deterministic(op, made.call(), made.operands)[0];
    for (int64_t x = 0; x + 2 <= width; x += 2) {
      ExampleCall alone = make_call(op, {{{2, 3, 4, 2}}, made.attrs});
      alone.operands[0] = made.operands[0].slice({{0, 0, 0, x}, {2, 3, 4, 2}}).clone();
      const Tensor found = run_deterministic(op, alone.call(), alone.operands)[0];
      ASSERT_EQ(bits_differ(whole.slice({{0, 0, 0, x / 2}, {2, 3, 2, 1}}).clone(), found), "");
    }
    expect_same_bits_of_every_cut(made, {whole});
  }
}

}  // namespace
}  // namespace tessera::testing
