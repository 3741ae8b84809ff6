#include <fmt/format.h>

#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/numeric.h"

namespace tessera {
namespace {

size_t axis_of(const OpCall& call) {
  const size_t indices = call.global(0).size();
  const size_t ndim = call.global(1).size();
  require(indices <= ndim, "indices {} have more dims than the gradient {}",
          shown(call.operands[0]), shown(call.operands[1]));
  const size_t axis = internal::wrap_axis(call.attr<int64_t>("axis"), ndim - indices + 1);
  return axis;
}

void embedding_grad_cpu(const OpCall& call, std::span<const Tensor> operands,
                        std::span<Tensor> results) {
  const size_t axis = axis_of(call);
  const int64_t rows = call.attr<int64_t>("rows");
  const int64_t begin = call.results[0].box.begin[axis];
  const internal::AxisView view = internal::axis_view(results[0].shape(), axis);
  const Tensor indices = operands[0].cast(DType::kI64);
  internal::visit_floating(operands[1].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* gradient = operands[1].data<T>().data();
    const std::span<T> out = results[0].mutable_data<T>();
    std::vector<double> sums(out.size(), 0.0);
    for (int64_t o = 0; o < view.outer; ++o) {
      for (const int64_t index : indices.data<int64_t>()) {
        require(index >= -rows && index < rows, "index {} is not in [{}, {})", index, -rows, rows);
        const int64_t here = (index < 0 ? index + rows : index) - begin;
        if (here >= 0 && here < view.extent) {
          double* to = sums.data() + (o * view.extent + here) * view.inner;
          for (int64_t i = 0; i < view.inner; ++i) to[i] += internal::widen(gradient[i]);
        }
        gradient += view.inner;
      }
    }
    for (size_t i = 0; i < out.size(); ++i) out[i] = internal::narrow<T>(sums[i]);
  });
}

std::string embedding_grad_rule(const OpCall& call) {
  const size_t axis = axis_of(call);
  std::vector<std::string> indices;
  for (size_t d = 0; d < call.global(0).size(); ++d) indices.push_back(fmt::format("i{}", d));
  std::vector<std::string> table =
      internal::dim_words(call.global(1).size() - call.global(0).size());
  std::vector<std::string> gradient = table;
  const auto place = static_cast<std::ptrdiff_t>(axis);
  gradient.insert(gradient.begin() + place, indices.begin(), indices.end());
  table.insert(table.begin() + place, fmt::format("v={}", call.attr<int64_t>("rows")));
  return fmt::format("{}, {} -> {}", internal::spell(indices), internal::spell(gradient),
                     internal::spell(table));
}

void check_embedding_grad(const OpCall& call) {
  const auto rows = call.attr<int64_t>("rows");
  require(rows >= 0, "a table of {} rows", rows);
}

}  // namespace

TESSERA_OP(embedding_grad) {
  return {
      .mindspore_name = "UnsortedSegmentSum",
      .doc =
          "table'[a,v,b] = sum of gradient[a,i,b] over the indices[i] that are v, the axis between "
          "a and b: what gradients of gather and embedding give their table.",
      .operands = {{"indices", DTypes::kIndex}, {"gradient"}},
      .attrs = {{"rows", int64_t{1}, "extent of the table along the axis", true},
                {"axis", int64_t{0}, "of the table"}},
      .rule = embedding_grad_rule,
      .result_dtypes =
          [](const OpCall& call) { return std::vector<DType>{call.operands[1].dtype}; },
      .check = check_embedding_grad,
      .kernels = {reference(embedding_grad_cpu)},
      .examples = {{.shapes = {{2, 4}, {2, 4, 3}},
                    .attrs = {{"rows", 7}},
                    .dtypes = {DType::kI32, DType::kF32},
                    .index_limit = 7},
                   {.shapes = {{5}, {3, 5, 2}},
                    .attrs = {{"rows", 4}, {"axis", 1}},
                    .dtypes = {DType::kI64, DType::kF32},
                    .index_limit = 4},
                   {.shapes = {{}, {3, 2}},
                    .attrs = {{"rows", 5}, {"axis", -1}},
                    .dtypes = {DType::kI64, DType::kF32},
                    .index_limit = 5},
                   {.shapes = {{0}, {0, 3}},
                    .attrs = {{"rows", 4}},
                    .dtypes = {DType::kI32, DType::kF32},
                    .index_limit = 4}},
  };
}

}  // namespace tessera
