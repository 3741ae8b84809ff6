#include "tessera/ops/cpu/internal/dnnl_binary.h"

namespace tessera::internal {
namespace {

/// The operand as a row-major source with as many dims as the result.
DnnlDesc aligned_desc(const Shape& shape, size_t ndim) {
  DnnlDims dims(ndim - shape.size(), 1);
  dims.insert(dims.end(), shape.begin(), shape.end());
  if (dims.empty()) dims.push_back(1);
  return plain_desc(dims);
}

bool has_padding(const DnnlDesc& desc, const Shape& shape) {
  return desc.get_size() != static_cast<size_t>(element_count(shape)) * sizeof(float);
}

/// One number on the right: whatever the format, every element of memory is one of the tensor's,
/// unless it is padding. oneDNN's fast code knows no weights' formats here, a row of numbers it
/// does.
DnnlCall describe_with_number(const OpCall& call, const Formats& offered, dnnl::algorithm algorithm,
                              size_t first) {
  const Shape& shape = call.results[0].shape();
  DnnlDesc whole = offered_desc(call, offered, first);
  if (has_padding(whole, shape)) whole = plain_desc(shape);
  const DnnlDesc row = plain_desc(DnnlDims{element_count(shape)});
  const DnnlDesc number = plain_desc(DnnlDims{1});
  const auto chosen = dnnl_primitive<dnnl::binary>({}, algorithm, row, number, row);
  DnnlCall described = dnnl_call<dnnl::binary>(chosen, static_cast<double>(element_count(shape)));
  const Format format = format_of(whole);
  described.arguments.push_back({DNNL_ARG_SRC_0, false, first, row, format});
  described.row_major_operand(DNNL_ARG_SRC_1, 1 - first, number);
  described.arguments.push_back({DNNL_ARG_DST, true, 0, row, format});
  return described;
}

}  // namespace

DnnlCall describe_binary(const OpCall& call, const Formats& offered, dnnl::algorithm algorithm,
                         bool commutes) {
  const Shape& shape = call.results[0].shape();
  const bool a_is_whole = call.shape(0) == shape;
  const bool b_is_whole = call.shape(1) == shape;
  const size_t first = !a_is_whole && b_is_whole && commutes ? 1 : 0;
  const size_t second = 1 - first;
  if (call.shape(first) == shape && element_count(call.shape(second)) == 1)
    return describe_with_number(call, offered, algorithm, first);
  DnnlDesc left;
  DnnlDesc right;
  if (a_is_whole && b_is_whole) {
    // Both in the format of the first that is not row-major.
    const size_t leader = offered.operands[0] == nullptr ? 1 : 0;
    left = offered.operands[leader] == nullptr ? plain_desc(DnnlDims{element_count(shape)})
                                               : offered_desc(call, offered, leader);
    right = left;
  } else {
    left = call.shape(first) == shape ? offered_desc(call, offered, first)
                                      : aligned_desc(call.shape(first), shape.size());
    right = aligned_desc(call.shape(second), shape.size());
  }
  const DnnlDesc result = call.shape(first) == shape ? left : plain_desc(shape);
  using Binary = dnnl::binary;
  const auto chosen = dnnl_primitive<Binary>({}, algorithm, left, right, result);
  DnnlCall described = dnnl_call<Binary>(chosen, static_cast<double>(element_count(shape)));
  described.operand(DNNL_ARG_SRC_0, first, left);
  described.operand(DNNL_ARG_SRC_1, second, right);
  described.result(DNNL_ARG_DST, result);
  return described;
}

}  // namespace tessera::internal
