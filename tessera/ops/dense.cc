#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/matrix.h"

namespace tessera {
namespace {

void dense_cpu(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const int64_t inputs = operands[1].shape()[1];
    const int64_t outputs = operands[1].shape()[0];
    const Shape& shape = operands[0].shape();
    const int64_t rows = internal::axis_view(shape, shape.size() - 1).outer;
    const internal::MatrixView<T> x({rows, inputs, inputs, 1}, operands[0].data<T>().data());
    const internal::MatrixView<T> w({inputs, outputs, 1, inputs}, operands[1].data<T>().data());
    internal::multiply(x, w, internal::FusedEnd<T>(call, operands),
                       results[0].mutable_data<T>().data(), 0);
  });
}

void check_dense(const OpCall& call) {
  parse_activation(call.attr<std::string>("activation"));
  require(!call.global(0).empty(), "x has no dims; dense multiplies the last one");
}

std::string dense_rule(const OpCall& call) {
  std::vector<std::string> words = internal::dim_words(call.global(0).size() - 1);
  const std::string i = internal::is_fused(call) ? "[i]" : "i";
  words.push_back(i);
  const std::string x = internal::spell(words);
  words.back() = "o";
  const std::string y = internal::spell(words);
  std::string rule = x + ", o " + i;
  if (call.operand_count() > internal::kBiasOperand) rule += ", o";
  if (call.operand_count() > internal::kResidualOperand) rule += ", " + y;
  return rule + " -> " + y;
}

}  // namespace

TESSERA_OP(dense) {
  return {
      .mindspore_name = "Dense",
      .doc =
          "y[...,o] = activation(sum over i of x[...,i] * weight[o,i] + bias[o] + "
          "residual[...,o]).",
      .operands = {{"x"},
                   {"weight"},
                   {"bias", DTypes::kFloat, true},
                   {"residual", DTypes::kFloat, true}},
      .attrs = activation_attrs(),
      .rule = dense_rule,
      .check = check_dense,
      .kernels = {reference(dense_cpu)},
      .examples = {{{{5, 7}, {4, 7}}},
                   {{{5, 7}, {4, 7}, {4}}, {{"activation", "relu"}}},
                   {{{2, 3, 5}, {7, 5}, {7}, {2, 3, 7}}, {{"activation", "sigmoid"}}},
                   {{{6}, {4, 6}, {4}}},
                   {{{7, 130}, {128, 130}, {128}}, {{"activation", "relu6"}}},
                   {{{2, 6}, {4, 6}}, {{"activation", "leaky_relu"}, {"alpha", 0.2}}},
                   {{{0, 6}, {4, 6}, {4}}}},
  };
}

}  // namespace tessera
