// Every op against the values that MindSpore 2.10 computed, in ../shared/data/mindspore/ops: by the
// reference kernels and by the kernels that a program chooses.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <optional>

#include "tessera/io/file.h"
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

Calls with_ints(const std::string& op, const std::string& name, const Json& attrs) {
  return {{op, {{name, ints(attrs.at(name))}}}};
}

Calls batch_norm(const Json& attrs) {
  return {{"batch_norm", {{"epsilon", attrs.at("eps").as_double()}}}};
}

Calls exact_gelu() {
  return {{"gelu", {{"approximate", false}}}};
}

Calls dropout(const Json& attrs) {
  return {{"dropout", {{"p", attrs.at("p").as_double()}}}};
}

/// Ops that take the inputs and no attributes.
const std::map<std::string, std::string> kPlain = {
    {"Dense", "dense"}, {"ReLU", "relu"}, {"ReLU6", "relu6"},          {"GELU", "gelu"},
    {"Tanh", "tanh"},   {"Add", "add"},   {"Sigmoid", "sigmoid"},      {"Exp", "exp"},
    {"Sub", "sub"},     {"Mul", "mul"},   {"LeakyReLU", "leaky_relu"}, {"Sqrt", "sqrt"},
    {"RealDiv", "div"}, {"Neg", "neg"},   {"Embedding", "embedding"},  {"BiasAdd", "bias_add"}};

/// Ops whose only attribute is an axis.
const std::map<std::string, std::string> kWithAxis = {{"Softmax", "softmax"},
                                                      {"LogSoftmax", "log_softmax"},
                                                      {"Concat", "concat"},
                                                      {"Gather", "gather"},
                                                      {"Argmax", "argmax"}};

using Translate = std::function<Calls(const Json&)>;
const std::map<std::string, Translate> kOthers = {
    {"Conv2d", conv2d},
    {"MaxPool2d", [](const Json& attrs) { return pool("max_pool", attrs); }},
    {"AvgPool2d", [](const Json& attrs) { return pool("avg_pool", attrs); }},
    {"BatchNorm2d", batch_norm},
    {"LayerNorm", layer_norm},
    {"GELU_approximate_false", [](const Json&) { return exact_gelu(); }},
    {"SoftmaxCrossEntropyWithLogits", cross_entropy},
    {"Flatten", flatten},
    {"MatMul", matmul},
    {"BatchMatMul", matmul},
    {"matmul", matmul},
    {"ReduceMean", [](const Json& attrs) { return reduction("reduce_mean", attrs); }},
    {"ReduceSum", [](const Json& attrs) { return reduction("reduce_sum", attrs); }},
    {"ReduceMax", [](const Json& attrs) { return reduction("reduce_max", attrs); }},
    {"Transpose", [](const Json& attrs) { return with_ints("transpose", "perm", attrs); }},
    {"Reshape", [](const Json& attrs) { return with_ints("reshape", "shape", attrs); }},
    {"StridedSlice", strided_slice},
    {"Dropout", dropout},
    {"Pad", pad},
    {"Cast", cast}};

/// How a case is computed here; nothing when its op is not one of ours.
std::optional<Calls> translate(const std::string& op, const Json& attrs) {
  if (const auto it = kPlain.find(op); it != kPlain.end()) return Calls{{it->second, {}}};
  if (const auto it = kWithAxis.find(op); it != kWithAxis.end())
    return Calls{{it->second, {{"axis", attrs.at("axis").as_int()}}}};
  if (const auto it = kOthers.find(op); it != kOthers.end()) return it->second(attrs);
  return std::nullopt;
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
  return parse_json(read_text(shared_data() / "mindspore/ops/ops.json"));
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
    const std::string& op = one.at("op").as_string();
    const std::optional<Calls> translated = translate(op, one.at("attrs"));
    if (!translated) {
      ++not_ours[op];
      continue;
    }
    const Calls& calls = *translated;
    const std::vector<Tensor> inputs = inputs_of(one, arrays);
    if (!one.at("error").is_null()) {
      EXPECT_THROW((void)by_reference(calls, inputs), Error);
      EXPECT_THROW((void)by_program(calls, inputs), Error);
      ++refused;
      continue;
    }
    const Json& output = one.at("outputs").items()[0];
    const Tensor& wanted = arrays.at(output.at("array").as_string());
    const double allowed = tolerance(op, wanted.dtype());
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
