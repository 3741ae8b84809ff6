#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/internal/matrix.h"
#include "tessera/ops/internal/walk.h"
#include "tessera/ops/ops.h"

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
            shown(call.operands[internal::kResidualOperand]), shown(wanted));
    rule += ", " + y;
  }
  return rule + " -> " + y;
}

void check_matmul(const OpCall& call) {
  parse_activation(call.attr<std::string>("activation"));
  const Shape& a = call.global(0);
  const Shape& b = call.global(1);
  require(!a.empty() && !b.empty(), "matmul wants at least one dim each, found {} and {}",
          shown(call.operands[0]), shown(call.operands[1]));
  require(a.size() > 1 || !call.attr<bool>("transpose_a"), "a is {}: nothing to transpose",
          shown(call.operands[0]));
  require(b.size() > 1 || !call.attr<bool>("transpose_b"), "b is {}: nothing to transpose",
          shown(call.operands[1]));
  require(call.operand_count() <= internal::kBiasOperand || b.size() > 1,
          "a bias needs columns, b is {}", shown(call.operands[1]));
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

Value with_shape(Value x, const Ints& shape) {
  return x.shape() == Shape(std::span(shape)) ? x : reshape(x, {{"shape", shape}});
}

Value as_matrix(Value x, bool vector_is_row) {
  if (x.shape().size() > 1) return x;
  const int64_t extent = x.shape()[0];
  return with_shape(x, vector_is_row ? Ints{1, extent} : Ints{extent, 1});
}

/// A vector as matrix has no batches: those of the other operand add up.
Value summed_batches(Value product) {
  Ints batches;
  for (size_t d = 0; d + 2 < product.shape().size(); ++d)
    batches.push_back(static_cast<int64_t>(d));
  return batches.empty() ? product : reduce_sum(product, {{"axis", batches}});
}

/// `product` of matrices, or of vectors as matrices, as the gradient of `like`.
Value as_operand(Value product, Value like) {
  return like.shape().size() == 1 ? internal::reshape_as(summed_batches(product), like)
                                  : internal::sum_to(product, like);
}

/// The gradient of matrices a and b, for that of a * b.
Gradients matmul_gradient(const GradientCall& call) {
  const Value a = call.operands[0], b = call.operands[1];
  const bool transposed_a = call.attr<bool>("transpose_a");
  const bool transposed_b = call.attr<bool>("transpose_b");
  const Value sums = internal::gradient_of_sums(call, "matmul");
  // Vectors are matrices of one row (a) or one column (b).
  const Value x = as_matrix(a, true);
  const Value y = as_matrix(b, false);
  Ints shape = internal::ints(sums.shape());
  if (b.shape().size() == 1) shape.push_back(1);
  if (a.shape().size() == 1) shape.insert(shape.end() - 1, 1);
  const Value g = with_shape(sums, shape);
  Gradients gradients(call.operands.size(), sums);
  const auto product = [](Value p, Value q, bool first, bool second) {
    return matmul(p, q, {{"transpose_a", first}, {"transpose_b", second}});
  };
  if (call.wanted[0])
    gradients[0] = as_operand(
        transposed_a ? product(y, g, transposed_b, true) : product(g, y, false, !transposed_b), a);
  if (call.wanted[1])
    gradients[1] = as_operand(
        transposed_b ? product(g, x, true, transposed_a) : product(x, g, !transposed_a, false), b);
  if (call.operands.size() > internal::kBiasOperand && call.wanted[internal::kBiasOperand])
    gradients[internal::kBiasOperand] =
        internal::sum_to(sums, call.operands[internal::kBiasOperand]);
  return gradients;
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
      .gradient = matmul_gradient,
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
