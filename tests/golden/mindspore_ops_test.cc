// Every op against the values that MindSpore 2.10 computed, in ../shared/data/mindspore/ops: by the
// reference kernels and by the kernels that a program chooses.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <sstream>

#include "tessera/io/json.h"
#include "tessera/ops/registry.h"
#include "tessera/runtime/program.h"
#include "tests/support/difference.h"
#include "tests/support/npy.h"
#include "tests/support/shared_data.h"

namespace tessera::testing {
namespace {

/// How a case is computed: ops one after the other, the first over the case's inputs.
struct Call {
  std::string op;
  Attrs attrs;
};
using Calls = std::vector<Call>;

/// MindSpore's attribute as integers: 3, or [3, 5].
Ints ints(const Json& value) {
  if (!value.is_array()) return {value.as_int()};
  Ints list;
  for (const Json& item : value.items()) list.push_back(item.as_int());
  return list;
}
/// One integer for all `count` places, or one for each.
Ints ints(const Json& value, size_t count) {
  const Ints list = ints(value);
  return list.size() == 1 ? Ints(count, list[0]) : list;
}

Attrs window_attrs(const Json& attrs) {
  Attrs result = {{"stride", ints(attrs.at("stride"), 2)},
                  {"pad_mode", attrs.at("pad_mode").as_string()}};
  if (const Json* padding = attrs.find("padding")) result["padding"] = ints(*padding, 4);
  return result;
}

Calls conv2d(const Json& attrs) {
  Attrs result = window_attrs(attrs);
  result["dilation"] = ints(attrs.at("dilation"), 2);
  result["groups"] = attrs.at("group").as_int();
  return {{"conv2d", result}};
}

Calls pool(const std::string& op, const Json& attrs) {
  Attrs result = window_attrs(attrs);
  result["kernel"] = ints(attrs.at("kernel_size"), 2);
  for (const char* name : {"ceil_mode", "count_include_pad"})
    if (const Json* given = attrs.find(name)) result[name] = given->as_bool();
  return {{op, result}};
}

Calls matmul(const Json& attrs) {
  Attrs result;
  for (const char* name : {"transpose_a", "transpose_b"})
    if (const Json* given = attrs.find(name)) result[name] = given->as_bool();
  return {{"matmul", result}};
}

Calls layer_norm(const Json& attrs) {
  return {{"layer_norm",
           {{"begin_norm_axis", attrs.at("begin_norm_axis").as_int()},
            {"begin_params_axis", attrs.at("begin_params_axis").as_int()},
            {"epsilon", attrs.at("epsilon").as_double()}}}};
}

Calls cross_entropy(const Json& attrs) {
  const bool sparse = attrs.at("sparse").as_bool();
  Calls calls = {{sparse ? "sparse_softmax_cross_entropy" : "softmax_cross_entropy", {}}};
  const std::string& reduction = attrs.at("reduction").as_string();
  if (reduction != "none") calls.push_back({"reduce_" + reduction, {}});
  return calls;
}

Calls reduction(const std::string& op, const Json& attrs) {
  return {{op, {{"axis", ints(attrs.at("axis"))}, {"keep_dims", attrs.at("keep_dims").as_bool()}}}};
}

Calls flatten(const Json& attrs) {
  Attrs result;
  if (const Json* start = attrs.find("start_dim")) result["axis"] = start->as_int();
  if (const Json* end = attrs.find("end_dim")) result["end_axis"] = end->as_int();
  return {{"flatten", result}};
}

/// The masks name dims that begin or end at their ends; shrink_axis_mask is 0 in all cases.
Calls strided_slice(const Json& attrs) {
  Ints begin = ints(attrs.at("begin"));
  Ints end = ints(attrs.at("end"));
  const Ints strides = ints(attrs.at("strides"));
  const auto masked = [&](const char* name, size_t d) {
    const Json* mask = attrs.find(name);
    return mask != nullptr && (mask->as_int() >> d & 1) != 0;
  };
  for (size_t d = 0; d < begin.size(); ++d) {
    if (masked("begin_mask", d)) begin[d] = strides[d] > 0 ? 0 : INT32_MAX;
    if (masked("end_mask", d)) end[d] = strides[d] > 0 ? INT32_MAX : -INT32_MAX;
  }
  return {{"slice", {{"begin", begin}, {"end", end}, {"strides", strides}}}};
}

Calls pad(const Json& attrs) {
  Ints paddings;
  for (const Json& pair : attrs.at("paddings").items())
    for (const Json& item : pair.items()) paddings.push_back(item.as_int());
  std::string mode = attrs.at("mode").as_string();
  for (char& c : mode) c = static_cast<char>(std::tolower(c));
  return {{"pad", {{"paddings", paddings}, {"mode", mode}}}};
}

Calls cast(const Json& attrs) {
  const std::string& to = attrs.at("dst").as_string();
  if (to == "float16") return {{"cast", {{"dtype", "f16"}}}};
  if (to == "int32") return {{"cast", {{"dtype", "i32"}}}};
  return {{"cast", {{"dtype", "bf16"}}}, {"cast", {{"dtype", "f32"}}}};
}

Calls with_axis(const std::string& op, const Json& attrs) {
  return {{op, {{"axis", attrs.at("axis").as_int()}}}};
}

/// How each op of MindSpore's is computed here; those that are not in the map are not ours.
const std::map<std::string, std::function<Calls(const Json&)>>& translations() {
  using std::placeholders::_1;
  const auto plain = [](const char* op) { return [op](const Json&) { return Calls{{op, {}}}; }; };
  static const std::map<std::string, std::function<Calls(const Json&)>> map = {
      {"Conv2d", conv2d},
      {"MaxPool2d", std::bind(pool, "max_pool", _1)},
      {"AvgPool2d", std::bind(pool, "avg_pool", _1)},
      {"Dense", plain("dense")},
      {"BatchNorm2d",
       [](const Json& attrs) {
         return Calls{{"batch_norm", {{"epsilon", attrs.at("eps").as_double()}}}};
       }},
      {"LayerNorm", layer_norm},
      {"ReLU", plain("relu")},
      {"ReLU6", plain("relu6")},
      {"GELU", plain("gelu")},
      {"GELU_approximate_false",
       [](const Json&) {
         return Calls{{"gelu", {{"approximate", false}}}};
       }},
      {"Sigmoid", plain("sigmoid")},
      {"Tanh", plain("tanh")},
      {"LeakyReLU", plain("leaky_relu")},
      {"Softmax", std::bind(with_axis, "softmax", _1)},
      {"LogSoftmax", std::bind(with_axis, "log_softmax", _1)},
      {"SoftmaxCrossEntropyWithLogits", cross_entropy},
      {"Flatten", flatten},
      {"Concat", std::bind(with_axis, "concat", _1)},
      {"Add", plain("add")},
      {"Sub", plain("sub")},
      {"Mul", plain("mul")},
      {"RealDiv", plain("div")},
      {"BiasAdd", plain("bias_add")},
      {"MatMul", matmul},
      {"BatchMatMul", matmul},
      {"matmul", matmul},
      {"ReduceMean", std::bind(reduction, "reduce_mean", _1)},
      {"ReduceSum", std::bind(reduction, "reduce_sum", _1)},
      {"ReduceMax", std::bind(reduction, "reduce_max", _1)},
      {"Gather", std::bind(with_axis, "gather", _1)},
      {"Embedding", plain("embedding")},
      {"Transpose",
       [](const Json& attrs) {
         return Calls{{"transpose", {{"perm", ints(attrs.at("perm"))}}}};
       }},
      {"Reshape",
       [](const Json& attrs) {
         return Calls{{"reshape", {{"shape", ints(attrs.at("shape"))}}}};
       }},
      {"StridedSlice", strided_slice},
      {"Dropout",
       [](const Json& attrs) {
         return Calls{{"dropout", {{"p", attrs.at("p").as_double()}}}};
       }},
      {"Pad", pad},
      {"Cast", cast},
      {"Argmax", std::bind(with_axis, "argmax", _1)},
      {"Exp", plain("exp")},
      {"Sqrt", plain("sqrt")},
      {"Neg", plain("neg")},
  };
  return map;
}

/// Ops of the recorded cases that are not in Tessera's list, with how many cases each has.
const std::map<std::string, int> kNotOurs = {{"AdaptiveAvgPool2d", 1},
                                             {"HSwish", 1},
                                             {"HSigmoid", 1},
                                             {"ELU", 1},
                                             {"SiLU", 1},
                                             {"Maximum", 1},
                                             {"Minimum", 1},
                                             {"ReduceMin", 3},
                                             {"SquaredDifference", 1},
                                             {"TopK", 1},
                                             {"OneHot", 1},
                                             {"Split", 1},
                                             {"Tile", 1},
                                             {"ExpandDims", 1},
                                             {"Squeeze", 1},
                                             {"Stack", 1},
                                             {"Log", 1},
                                             {"Rsqrt", 1},
                                             {"Abs", 1},
                                             {"Square", 1},
                                             {"Erf", 1},
                                             {"Floor", 1},
                                             {"Round", 2},
                                             {"ResizeBilinearV2", 1},
                                             {"InstanceNorm2d", 1},
                                             {"GroupNorm", 1},
                                             {"Conv2dTranspose", 1}};
constexpr int kCases = 150;
constexpr int kOurCases = 120;

using Arrays = std::map<std::string, Tensor>;

Json read_cases() {
  std::ifstream file(shared_data() / "mindspore/ops/ops.json");
  std::stringstream text;
  text << file.rdbuf();
  return parse_json(text.str());
}

std::vector<Tensor> inputs_of(const Json& one, const Arrays& arrays) {
  std::vector<Tensor> inputs;
  for (const Json& input : one.at("inputs").items()) {
    if (const Json* value = input.find("value"))
      inputs.push_back(Tensor::scalar(value->as_int()));  // a Python number
    else
      inputs.push_back(arrays.at(input.at("array").as_string()));
  }
  return inputs;
}

/// By the reference kernels.
Tensor by_reference(const Calls& calls, std::vector<Tensor> operands) {
  for (const Call& call : calls)
    operands = {evaluate(require_op(call.op), operands, call.attrs)[0]};
  return operands[0];
}

/// By a program with the kernels of its choice.
Tensor by_program(const Calls& calls, std::span<const Tensor> operands) {
  Graph graph;
  std::vector<ValueId> values;
  for (const Tensor& operand : operands)
    values.push_back(
        graph.add_input("x" + std::to_string(values.size()), operand.dtype(), operand.shape()));
  for (const Call& call : calls) values = graph.emit(require_op(call.op), values, call.attrs);
  graph.outputs = values;
  return Program::compile(graph, {}).run(operands)[0];
}

double tolerance(const std::string& op, DType dtype) {
  if (op == "Tanh") return 1e-5;  // MindSpore's CPU kernel gives 1 from x = 5 on
  return dtype == DType::kF16 ? 0x1p-10 : 4e-6;
}

TEST(MindSporeOps, AgreeInEveryRecordedCase) {
  TESSERA_NEEDS_SHARED_DATA();
  const Json cases = read_cases();
  const Arrays arrays = read_npz(shared_data() / "mindspore/ops/ops.npz");
  ASSERT_EQ(cases.items().size(), static_cast<size_t>(kCases));
  int compared = 0, refused = 0;
  std::map<std::string, int> not_ours;
  for (const Json& one : cases.items()) {
    SCOPED_TRACE(one.at("id").as_string());
    const auto translation = translations().find(one.at("op").as_string());
    if (translation == translations().end()) {
      ++not_ours[one.at("op").as_string()];
      continue;
    }
    const Calls calls = translation->second(one.at("attrs"));
    const std::vector<Tensor> inputs = inputs_of(one, arrays);
    if (!one.at("error").is_null()) {
      EXPECT_THROW((void)by_reference(calls, inputs), Error);
      EXPECT_THROW((void)by_program(calls, inputs), Error);
      ++refused;
      continue;
    }
    const Json& output = one.at("outputs").items()[0];
    const Tensor& wanted = arrays.at(output.at("array").as_string());
    const double allowed = tolerance(translation->first, wanted.dtype());
    EXPECT_EQ(difference(wanted, by_reference(calls, inputs), allowed), "");
    EXPECT_EQ(difference(wanted, by_program(calls, inputs), allowed), "");
    ++compared;
  }
  EXPECT_EQ(refused, 2);  // shapes that do not broadcast, an index out of range
  EXPECT_EQ(compared + refused, kOurCases);
  EXPECT_EQ(not_ours, kNotOurs);
}

}  // namespace
}  // namespace tessera::testing
