#include "tessera/ops/cpu/internal/dnnl_call.h"

namespace tessera {
namespace {

using namespace internal;  // NOLINT: the words of this folder

/// An operand as [batch..., rows, columns] with `ndim` dims: a vector is a row (as a) or a column
/// (as b).
DnnlDesc matrix_desc(const Shape& shape, size_t ndim, bool transposed, bool vector_is_row) {
  DnnlDims dims(shape.begin(), shape.end());
  if (dims.size() == 1) dims.insert(vector_is_row ? dims.begin() : dims.end(), 1);
  dims.insert(dims.begin(), ndim - dims.size(), 1);
  DnnlDims strides(ndim, 1);
  for (size_t d = ndim - 1; d > 0; --d) strides[d - 1] = strides[d] * dims[d];
  if (transposed) {
    std::swap(dims[ndim - 1], dims[ndim - 2]);
    std::swap(strides[ndim - 1], strides[ndim - 2]);
  }
  return {dims, dnnl::memory::data_type::f32, strides};
}

DnnlDims dims_of_desc(const DnnlDesc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  return desc.get_dims();
#else
  return desc.dims();
#endif
}

Support check(const OpCall& call) {
  const Shape& result = call.results[0].shape();
  return has_bias(call) ? fused_shapes_fit(call, result.back()) : Support::yes();
}

DnnlCall describe(const OpCall& call, const Formats&) {
  const bool transposed_b = call.attr<bool>("transpose_b");
  const size_t ndim = std::max({call.shape(0).size(), call.shape(1).size(), size_t{2}});
  const DnnlDesc a = matrix_desc(call.shape(0), ndim, call.attr<bool>("transpose_a"), true);
  const DnnlDesc b = matrix_desc(call.shape(1), ndim, transposed_b, false);
  const DnnlDims a_dims = dims_of_desc(a);
  const DnnlDims b_dims = dims_of_desc(b);
  DnnlDims result_dims(ndim);
  for (size_t d = 0; d < ndim; ++d) result_dims[d] = std::max(a_dims[d], b_dims[d]);
  result_dims[ndim - 2] = a_dims[ndim - 2];
  result_dims[ndim - 1] = b_dims[ndim - 1];
  const DnnlDesc result = plain_desc(result_dims);
  DnnlDims bias_dims(ndim, 1);
  bias_dims[ndim - 1] = b_dims[ndim - 1];
  const DnnlDesc bias = plain_desc(bias_dims);
  using MatMul = dnnl::matmul;
  const dnnl::primitive_attr attr = fused_attr(call);
  const MatMul::primitive_desc chosen = has_bias(call)
                                            ? dnnl_primitive<MatMul>(attr, a, b, bias, result)
                                            : dnnl_primitive<MatMul>(attr, a, b, result);
  const double products = static_cast<double>(a_dims[ndim - 1]);
  DnnlCall described = dnnl_call<MatMul>(
      chosen, products * static_cast<double>(element_count(call.results[0].shape())));
  described.row_major_operand(DNNL_ARG_SRC, 0, a);
  described.row_major_operand(DNNL_ARG_WEIGHTS, 1, b);
  add_fused_operands(described, call, bias, result);
  described.result(DNNL_ARG_DST, result);
  return described;
}

}  // namespace

TESSERA_KERNEL(matmul, cpu) {
  return internal::dnnl_kernel<describe, check>();
}

}  // namespace tessera
