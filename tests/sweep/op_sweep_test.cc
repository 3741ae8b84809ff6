// What holds for every op follows from its one definition: these tests run over all ops and all
// their examples.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "tessera/ops/registry.h"
#include "tests/support/difference.h"
#include "tests/sweep/simulate.h"

namespace tessera::testing {
namespace {

class OpSweep : public ::testing::TestWithParam<std::string> {
 protected:
  const OpDef& op() const { return require_op(GetParam()); }
};

std::vector<std::string> op_names() {
  std::vector<std::string> names;
  for (const OpDef& op : all_ops()) names.emplace_back(op.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Every, OpSweep, ::testing::ValuesIn(op_names()),
                         [](const auto& name) { return name.param; });

// Sums in another order than the reference's; the reference itself rounds once.
constexpr double kPartialSums = 4e-6;
constexpr double kOtherKernel = 1e-5;

/// Whether splitting this factor alone cuts every dim that has it into boxes: it must come first.
bool leads_its_dims(const ShardingRule& rule, FactorId factor) {
  for (const auto* tensors : {&rule.operands, &rule.results})
    for (const ShardingRule::Dims& dims : *tensors)
      for (const auto& dim : dims)
        if (std::find(dim.begin(), dim.end(), factor) != dim.end() && dim[0] != factor)
          return false;
  return true;
}

TEST(OpRegistry, NamesEveryOpOfTheInferenceTable) {
  const std::vector<std::string> wanted = {"add",
                                           "argmax",
                                           "avg_pool",
                                           "batch_norm",
                                           "bias_add",
                                           "cast",
                                           "concat",
                                           "conv2d",
                                           "dense",
                                           "div",
                                           "dropout",
                                           "embedding",
                                           "exp",
                                           "flatten",
                                           "gather",
                                           "gelu",
                                           "layer_norm",
                                           "leaky_relu",
                                           "log_softmax",
                                           "matmul",
                                           "max_pool",
                                           "mul",
                                           "neg",
                                           "pad",
                                           "reduce_max",
                                           "reduce_mean",
                                           "reduce_sum",
                                           "relu",
                                           "relu6",
                                           "reshape",
                                           "sigmoid",
                                           "slice",
                                           "softmax",
                                           "softmax_cross_entropy",
                                           "sparse_softmax_cross_entropy",
                                           "sqrt",
                                           "sub",
                                           "tanh",
                                           "transpose"};
  for (const std::string& name : wanted) EXPECT_NE(find_op(name), nullptr) << name;
  EXPECT_TRUE(std::is_sorted(all_ops().begin(), all_ops().end(),
                             [](const OpDef& a, const OpDef& b) { return a.name < b.name; }));
}

TEST(OpRegistry, SuggestsTheNearestNames) {
  try {
    (void)require_op("sofmax");
    FAIL() << "there is no such op";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("'softmax'"), std::string::npos) << error.what();
  }
}

TEST_P(OpSweep, IsDocumentedAndHasExamplesAndAReferenceKernel) {
  EXPECT_FALSE(op().doc.empty());
  EXPECT_TRUE(op().doc.ends_with('.')) << op().doc;
  EXPECT_FALSE(op().mindspore_name.empty());
  EXPECT_GE(op().examples.size(), 2U);
  ASSERT_FALSE(op().kernels.empty());
  EXPECT_EQ(op().kernels.back().name, "reference");
  EXPECT_NE(op().kernels.back().function, nullptr);
  for (const AttrDef& attr : op().attrs) EXPECT_FALSE(attr.doc.empty()) << attr.name;
}

TEST_P(OpSweep, KernelFillsTheShapesOfTheRule) {
  for (const OpExample& example : op().examples) {
    const ExampleCall made = make_call(op(), example);
    SCOPED_TRACE(made.text());
    const std::vector<Tensor> results = run_reference(op(), made.call(), made.operands);
    const std::vector<Shape> shapes = result_shapes(rule_of(op(), made.call()));
    ASSERT_EQ(results.size(), shapes.size());
    for (size_t r = 0; r < results.size(); ++r) EXPECT_EQ(results[r].shape(), shapes[r]);
  }
}

TEST_P(OpSweep, RuleReadsBackFromItsText) {
  for (const OpExample& example : op().examples) {
    const ShardingRule rule = rule_of(op(), make_call(op(), example).call());
    EXPECT_EQ(parse_rule(to_string(rule), example.shapes), rule) << to_string(rule);
  }
}

TEST_P(OpSweep, AttributesReadBackFromTheirText) {
  for (const OpExample& example : op().examples) {
    const Attrs attrs = complete_attrs(op(), example.attrs);
    EXPECT_EQ(attrs.size(), op().attrs.size());
    EXPECT_EQ(parse_attrs(to_string(attrs)), attrs) << to_string(attrs);
  }
}

TEST_P(OpSweep, RefusesAttributesAndOperandsItDoesNotHave) {
  const ExampleCall made = make_call(op(), op().examples[0]);
  Attrs unknown = made.attrs;
  unknown["no_such_attribute"] = true;
  EXPECT_THROW((void)complete_attrs(op(), unknown), Error);
  EXPECT_THROW((void)infer_results(op(), {}, made.attrs), Error);
  if (op().operands.back().variadic) return;
  const std::vector<TensorType> many(op().operands.size() + 1, made.operand_types[0]);
  EXPECT_THROW((void)infer_results(op(), many, made.attrs), Error);
}

TEST_P(OpSweep, EveryShardingThatTheRuleAllowsEqualsTheWhole) {
  int64_t simulated = 0;
  int64_t least = 0;  // what must have been simulated, counted another way
  for (const OpExample& example : op().examples) {
    const ExampleCall made = make_call(op(), example);
    const std::vector<Tensor> whole = run_reference(op(), made.call(), made.operands);
    const ShardingRule rule = rule_of(op(), made.call());
    for (size_t f = 0; f < rule.factors.size(); ++f)
      if (!rule.factors[f].whole && rule.factors[f].extent > 1 &&
          leads_its_dims(rule, static_cast<FactorId>(f)))
        least += 2 + 3;  // meshes of 2 and 3, and 2x2 with the factor on one axis or both
    for (const std::vector<int64_t>& mesh : {std::vector<int64_t>{2}, {3}, {2, 2}}) {
      for (const Sharding& sharding : every_sharding(rule, mesh)) {
        if (!is_legal(rule, sharding)) continue;
        SCOPED_TRACE(made.text() + " by " + to_string(rule) + ", " + sharding.text(rule));
        const std::vector<Tensor> results = simulate(made, rule, sharding);
        for (size_t r = 0; r < results.size(); ++r) {
          const double tolerance = byte_size(whole[r].dtype()) == 2 ? 2e-3 : kPartialSums;
          EXPECT_EQ(difference(whole[r], results[r], tolerance), "");
        }
        ++simulated;
      }
    }
  }
  RecordProperty("shardings", std::to_string(simulated));
  EXPECT_GE(simulated, least);
  EXPECT_GE(simulated, 5) << "some dim of every op can be split";
}

TEST_P(OpSweep, OtherFloatingDtypesComputeTheSame) {
  if (op().operands[0].dtypes == DTypes::kAny || op().name == "cast") return;
  for (const OpExample& example : op().examples) {
    if (!example.dtypes.empty()) continue;
    for (const DType dtype : {DType::kF16, DType::kBF16, DType::kF64}) {
      const ExampleCall narrow = make_call(op(), example, dtype);
      SCOPED_TRACE(narrow.text());
      ExampleCall wide = make_call(op(), example, DType::kF64);
      for (size_t i = 0; i < wide.operands.size(); ++i)
        wide.operands[i] = narrow.operands[i].cast(DType::kF64);
      const Tensor wanted = run_reference(op(), wide.call(), wide.operands)[0];
      const Tensor found = run_reference(op(), narrow.call(), narrow.operands)[0];
      const double rounding = dtype == DType::kBF16 ? 0x1p-7 : 0x1p-10;
      EXPECT_EQ(difference(wanted.cast(found.dtype()), found, rounding), "");
    }
  }
}

/// `tensor` in a kernel's format, or itself.
Tensor in_format(const Tensor& tensor, const TensorType& type, const Format& format) {
  if (format == nullptr) return tensor;
  Tensor to(DType::kU8, {format->byte_count()});
  prepare_reorder(type, nullptr, format)->run(std::span(&tensor, 1), std::span(&to, 1));
  return to;
}

/// Runs a prepared kernel on row-major operands; gives row-major results.
std::vector<Tensor> run_prepared(PreparedKernel& kernel, const ExampleCall& made) {
  const Formats formats = kernel.formats();
  std::vector<Tensor> operands;
  std::vector<Tensor> given;  // which formats may refer to
  for (size_t i = 0; i < made.operands.size(); ++i) {
    given.push_back(made.operands[i].clone());
    operands.push_back(in_format(given.back(), made.operand_types[i], formats.operands[i]));
  }
  std::vector<Tensor> results;
  for (size_t r = 0; r < made.result_types.size(); ++r) {
    const TensorType& type = made.result_types[r];
    const Format& format = formats.results[r];
    const int64_t bytes = format == nullptr ? element_count(type.global) * byte_size(type.dtype)
                                            : format->byte_count();
    results.push_back(Tensor::view(Buffer::allocate(bytes), 0, type.dtype, type.global));
    std::memset(results.back().buffer()->mutable_data(), 0x5a, static_cast<size_t>(bytes));
  }
  if (kernel.overwritten_operand() >= 0)
    results[0] = operands[static_cast<size_t>(kernel.overwritten_operand())];
  kernel.run(operands, results);
  for (size_t r = 0; r < results.size(); ++r) {
    if (formats.results[r] == nullptr) continue;
    const TensorType& type = made.result_types[r];
    Tensor row_major(type.dtype, type.global);
    prepare_reorder(type, formats.results[r], nullptr)
        ->run(std::span(&results[r], 1), std::span(&row_major, 1));
    results[r] = row_major;
  }
  return results;
}

/// The call as a kernel of less than f32 sees it: what it multiplies is rounded.
ExampleCall rounded_for(const Kernel& kernel, ExampleCall made) {
  if (kernel.precision == Precision::kF32) return made;
  for (const size_t i : {size_t{0}, size_t{1}})
    made.operands[i] = made.operands[i].cast(DType::kBF16).cast(made.operands[i].dtype());
  return made;
}

/// Compares one way of preparing a kernel with the reference; gives the formats it asked for.
Formats compare(const Kernel& kernel, const ExampleCall& made, const Formats& offered,
                std::span<const Tensor* const> constants) {
  const OpCall call{made.operand_types, made.result_types, made.attrs, constants};
  const std::unique_ptr<PreparedKernel> prepared = kernel.prepare(call, offered);
  const ExampleCall seen = rounded_for(kernel, made);
  const std::vector<Tensor> wanted = run_reference(*made.op, seen.call(), seen.operands);
  for (int run = 0; run < 2; ++run) {  // a prepared kernel runs many times
    const std::vector<Tensor> found = run_prepared(*prepared, made);
    for (size_t r = 0; r < wanted.size(); ++r)
      EXPECT_EQ(difference(wanted[r], found[r], kOtherKernel), "") << prepared->detail();
  }
  return prepared->formats();
}

TEST_P(OpSweep, EveryOtherKernelEqualsTheReference) {
  if (op().is_collective) return;  // its other kernel needs ranks: tests/placement
  const std::span<const Kernel> kernels = op().kernels;
  for (const Kernel& kernel : kernels.first(kernels.size() - 1)) {
    int compared = 0;
    bool for_this_processor = true;
    for (const OpExample& example : op().examples) {
      const ExampleCall made = make_call(op(), example);
      SCOPED_TRACE(std::string(kernel.name) + ": " + made.text());
      std::vector<const Tensor*> known(made.operands.size(), nullptr);
      for (size_t i = 1; i < known.size(); ++i) known[i] = &made.operands[i];
      for (const std::vector<const Tensor*>& constants : {std::vector<const Tensor*>(), known}) {
        const Support support =
            kernel.supports({made.operand_types, made.result_types, made.attrs, constants});
        if (!support.ok) {
          EXPECT_FALSE(support.reason.empty());
          for_this_processor = !support.reason.starts_with("the processor has no");
          continue;
        }
        Formats plain;
        plain.operands.resize(made.operands.size());
        const Formats wanted = compare(kernel, made, plain, constants);
        if (constants.empty()) {
          (void)compare(kernel, made, wanted, {});  // as the node before would leave them
        }
        ++compared;
      }
    }
    RecordProperty(std::string(kernel.name), std::to_string(compared));
    EXPECT_TRUE(compared > 0 || !for_this_processor)
        << kernel.name << " supports none of the examples of " << op().name;
  }
}

}  // namespace
}  // namespace tessera::testing
