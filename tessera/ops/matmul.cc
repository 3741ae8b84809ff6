#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/matrix.h"
#include "tessera/ops/internal/walk.h"

namespace tessera {
namespace {

/// "... m k" for an operand; a vector has no row (as a) or no column (as b).
std::string operand_text(const Shape& shape, std::string_view row, std::string_view column,
                         bool transposed, std::string_view vector) {
  if (shape.size() == 1) return std::string(vector);
  const std::string_view first = transposed ? column : row;
  const std::string_view second = transposed ? row : column;
  return "... " + std::string(first) + " " + std::string(second);
}

std::string matmul_rule(const OpCall& call) {
  const Shape& a = call.global(0);
  const Shape& b = call.global(1);
  const std::string k = internal::is_fused(call) ? "[k]" : "k";
  const std::string inputs = operand_text(a, "m", k, call.attr<bool>("transpose_a"), k) + ", " +
                             operand_text(b, k, "n", call.attr<bool>("transpose_b"), k);
  std::string y = a.size() > 2 || b.size() > 2 ? "..." : "";
  if (a.size() > 1) y += " m";
  if (b.size() > 1) y += " n";
  std::string rule = inputs;
  if (call.operand_count() > internal::kBiasOperand) rule += ", n";
  if (call.operand_count() > internal::kResidualOperand) {
    const std::array<Shape, 2> shapes = {a, b};
    const Shape wanted = result_shapes(parse_rule(inputs + " -> " + y, shapes))[0];
    require(call.global(internal::kResidualOperand) == wanted, "residual is {}, the product {}",
            to_string(call.operands[internal::kResidualOperand]), to_string(wanted));
    rule += ", " + y;
  }
  return rule + " -> " + y;
}

void check_matmul(const OpCall& call) {
  parse_activation(call.attr<std::string>("activation"));
  const Shape& a = call.global(0);
  const Shape& b = call.global(1);
  require(!a.empty() && !b.empty(), "matmul wants at least one dim each, found {} and {}",
          to_string(call.operands[0]), to_string(call.operands[1]));
  require(a.size() > 1 || !call.attr<bool>("transpose_a"), "a is {}: nothing to transpose",
          to_string(call.operands[0]));
  require(b.size() > 1 || !call.attr<bool>("transpose_b"), "b is {}: nothing to transpose",
          to_string(call.operands[1]));
  require(call.operand_count() <= internal::kBiasOperand || b.size() > 1,
          "a bias needs columns, b is {}", to_string(call.operands[1]));
}

template <typename T>
void multiply_batches(const OpCall& call, std::span<const Tensor> operands, Tensor& result) {
  const internal::MatmulViews views(call);
  internal::MatrixView<T> a(views.a);
  internal::MatrixView<T> b(views.b);
  const internal::FusedEnd<T> end(call, operands);
  const T* x = operands[0].data<T>().data();
  const T* y = operands[1].data<T>().data();
  T* out = result.mutable_data<T>().data();
  int64_t at = 0;
  internal::walk<2>(views.batch, {views.a_strides, views.b_strides},
                    [&](const std::array<int64_t, 2>& first) {
                      a.data = x + first[0];
                      b.data = y + first[1];
                      internal::multiply(a, b, end, out + at, at);
                      at += a.rows * b.columns;
                    });
}

void matmul_cpu(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    multiply_batches<typename decltype(tag)::type>(call, operands, results[0]);
  });
}

std::vector<AttrDef> matmul_attrs() {
  std::vector<AttrDef> attrs = {{"transpose_a", false, "a comes as [...,k,m]"},
                                {"transpose_b", false, "b comes as [...,n,k]"}};
  for (const AttrDef& attr : activation_attrs()) attrs.push_back(attr);
  return attrs;
}

}  // namespace

TESSERA_OP(matmul) {
  return {
      .mindspore_name = "MatMul",
      .doc =
          "y[...,m,n] = activation(sum over k of a[...,m,k] * b[...,k,n] + bias[n] + "
          "residual[...,m,n]); leading dims broadcast.",
      .operands = {{"a"},
                   {"b"},
                   {"bias", DTypes::kFloat, true},
                   {"residual", DTypes::kFloat, true}},
      .attrs = matmul_attrs(),
      .rule = matmul_rule,
      .check = check_matmul,
      .kernels = {reference(matmul_cpu)},
      .examples = {{{{5, 7}, {7, 4}}},
                   {{{7, 5}, {4, 7}}, {{"transpose_a", true}, {"transpose_b", true}}},
                   {{{2, 1, 3, 4}, {5, 4, 2}}},
                   {{{2, 3, 4}, {2, 4, 5}, {5}, {2, 3, 5}}, {{"activation", "relu"}}},
                   {{{4}, {4, 2}}},
                   {{{3, 2, 4}, {4}}},
                   {{{6}, {6}}},
                   {{{0, 3, 4}, {4, 5}}}},
  };
}

}  // namespace tessera
