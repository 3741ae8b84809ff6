#include "tessera/graph/op_def.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace tessera {
namespace {

OpDef scale_op() {
  OpDef op;
  op.name = "scale";
  op.operands = {{"x"}, {"by", DTypes::kFloat, true}, {"at", DTypes::kIndex, true}};
  op.attrs = {{"factor", 2.0, "what x is multiplied with"},
              {"axes", Ints{}, "where"},
              {"mode", "all", "how", true}};
  op.rule = [](const OpCall& call) {
    std::string text = "...";
    for (size_t i = 1; i < call.operand_count(); ++i) text += ", n";
    return text + " -> ...";
  };
  op.kernels = {
      reference([](const OpCall& call, std::span<const Tensor> in, std::span<Tensor> out) {
        for (size_t i = 0; i < in[0].data<float>().size(); ++i)
          out[0].mutable_data<float>()[i] =
              in[0].data<float>()[i] * static_cast<float>(call.attr<double>("factor"));
      })};
  return op;
}

template <typename Call>
std::string message_of(const Call& call) {
  try {
    (void)call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

TEST(OpDef, FillsInDefaultsAndTakesIntegersForNumbersAndLists) {
  const Attrs attrs = complete_attrs(scale_op(), {{"mode", "x"}, {"factor", 3}, {"axes", 1}});
  EXPECT_EQ(attrs, (Attrs{{"mode", "x"}, {"factor", 3.0}, {"axes", Ints{1}}}));
  EXPECT_EQ(complete_attrs(scale_op(), {{"mode", "x"}}),
            (Attrs{{"mode", "x"}, {"factor", 2.0}, {"axes", Ints{}}}));
}

TEST(OpDef, SaysWhichAttributeIsWrong) {
  const OpDef op = scale_op();
  EXPECT_EQ(message_of([&] {
              return complete_attrs(op, {{"mode", "x"}, {"facter", 1.0}});
            }),
            "op 'scale' has no attribute 'facter' (nearest: 'factor')");
  EXPECT_EQ(message_of([&] { return complete_attrs(op, {}); }),
            "op 'scale' needs attribute 'mode', a string: how");
  EXPECT_EQ(message_of([&] {
              return complete_attrs(op, {{"mode", true}});
            }),
            "attribute 'mode' of op 'scale' is true, true or false, but wants a string");
}

TEST(OpDef, WhatAnOpOfTheRegistryInfersIsRememberedPerCall) {
  int asked = 0;
  OpDef op = scale_op();
  op.number = 1 << 20;  // no op of the registry has it
  op.rule = [&asked](const OpCall& call) {
    ++asked;
    return fmt::format("a -> b={} a", call.attr<Ints>("axes").size());
  };
  const auto infer = [&](const TensorType& x, const Ints& axes, double factor) {
    const Attrs attrs = complete_attrs(op, {{"mode", "x"}, {"axes", axes}, {"factor", factor}});
    return to_string(infer_results(op, {&x, 1}, attrs)[0]);
  };
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(infer({DType::kF32, {4}}, {1, 2}, 2), "f32[2,4]");
    EXPECT_EQ(infer({DType::kF64, {4}}, {1, 2}, 2), "f64[2,4]");
    EXPECT_EQ(infer({DType::kF32, {5}}, {1, 2}, 2), "f32[2,5]");
    EXPECT_EQ(infer({DType::kF32, {4}}, {1}, 2), "f32[1,4]");
    EXPECT_EQ(infer({DType::kF32, {4}}, {1}, 3), "f32[1,4]");
  }
  EXPECT_EQ(asked, 5);
  for (int round = 0; round < 2; ++round)  // what fails, fails again
    EXPECT_THROW((void)infer({DType::kF32, {4, 4}}, {1}, 2), Error);
  EXPECT_EQ(asked, 7);
  op.number = 0;
  EXPECT_EQ(infer({DType::kF32, {4}}, {1}, 3), "f32[1,4]");
  EXPECT_EQ(asked, 8) << "an op that may change is asked every time";
}

TEST(OpDef, ChecksHowManyOperandsComeAndTheirDtypes) {
  const OpDef op = scale_op();
  const Attrs attrs = complete_attrs(op, {{"mode", "x"}});
  const auto infer = [&](std::vector<TensorType> types) {
    return message_of([&] { return infer_results(op, types, attrs); });
  };
  EXPECT_EQ(infer({{DType::kF16, {2, 3}}}), "no error");
  EXPECT_EQ(infer({{DType::kF32, {2}}, {DType::kF32, {5}}, {DType::kI64, {5}}}), "no error");
  EXPECT_EQ(infer({}),
            "op 'scale' got 0 operands and wants 1 to 3: x, by (optional), at (optional)");
  EXPECT_EQ(infer({{DType::kI32, {2}}}),
            "operand 0 ('x') of op 'scale' is i32[2], wants f16, bf16, f32 or f64");
  EXPECT_EQ(infer({{DType::kF32, {2}}, {DType::kF16, {2}}}),
            "operand 1 ('by') of op 'scale' is f16[2] but the one before it is f32[2]; cast one of "
            "them");
}

TEST(OpDef, EvaluatesByTheReferenceKernelAlsoOnSlices) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const Tensor x = Tensor::of(std::span<const float>(values), {2, 3});
  const std::vector<Tensor> column = {x.slice({{0, 1}, {2, 1}})};
  const Tensor y = evaluate(scale_op(), column, {{"mode", "x"}})[0];
  EXPECT_EQ(y.shape(), (Shape{2, 1}));
  EXPECT_EQ(y.data<float>()[0], 4);
  EXPECT_EQ(y.data<float>()[1], 10);
}

TEST(PreparedReference, OutlivesTheCallItWasPreparedFor) {
  const OpDef op = scale_op();
  std::unique_ptr<PreparedKernel> prepared;
  {
    const std::vector<TensorType> types = {{DType::kF32, {2}}};
    const Attrs attrs = {{"mode", "x"}, {"factor", 10.0}, {"axes", Ints{}}};
    prepared = prepare_reference(op.kernels.back(), {types, types, attrs, {}});
  }
  EXPECT_EQ(prepared->formats().operands, std::vector<Format>(1));
  const std::vector<float> values = {1, 2};
  const Tensor x = Tensor::of(std::span<const float>(values), {2});
  Tensor y(DType::kF32, {2});
  prepared->run(std::span(&x, 1), std::span(&y, 1));
  EXPECT_EQ(y.data<float>()[1], 20);
}

TEST(TensorType, ShowsTheBoxWhereItIsAPart) {
  EXPECT_EQ(to_string(TensorType(DType::kF32, {2, 3})), "f32[2,3]");
  EXPECT_EQ(to_string(TensorType(DType::kF32, {2, 3}, {{1, 0}, {1, 3}})),
            "f32[2,3] at [1,0]+[1,3]");
}

}  // namespace
}  // namespace tessera
