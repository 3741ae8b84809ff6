#include "tessera/ops/cpu/internal/dnnl_pool.h"

#include <algorithm>

#include "tessera/ops/internal/window.h"

namespace tessera::internal {
namespace {

/// The padding after the input with which oneDNN finds as many windows as we do: more than
/// pad_end where ceil_mode adds one, less where elements are left over.
int64_t end_padding(const WindowDim& dim) {
  return (dim.output - 1) * dim.stride + dim.kernel - dim.input - dim.pad_begin;
}

}  // namespace

DnnlCall describe_pool(const OpCall& call, const Formats& offered, dnnl::algorithm algorithm) {
  const Window window = pool_window(call);
  const DnnlDesc source = offered_desc(call, offered, 0);
  const DnnlDesc result = any_desc(dims_of(call.results[0].shape()));
  const DnnlDims strides = {window.y.stride, window.x.stride};
  const DnnlDims kernel = {window.y.kernel, window.x.kernel};
  const DnnlDims begin = {window.y.pad_begin, window.x.pad_begin};
  const DnnlDims end = {std::max<int64_t>(0, end_padding(window.y)),
                        std::max<int64_t>(0, end_padding(window.x))};
  constexpr auto kKind = dnnl::prop_kind::forward_inference;
  using Pool = dnnl::pooling_forward;
#if DNNL_VERSION_MAJOR >= 3
  const DnnlDims dilation = {0, 0};
  const auto chosen = dnnl_primitive<Pool>({}, kKind, algorithm, source, result, strides, kernel,
                                           dilation, begin, end);
#else
  const auto chosen =
      dnnl_primitive<Pool>({}, kKind, algorithm, source, result, strides, kernel, begin, end);
#endif
  const double elements = static_cast<double>(element_count(call.results[0].shape()));
  DnnlCall described =
      dnnl_call<Pool>(chosen, elements * static_cast<double>(window.y.kernel * window.x.kernel));
  described.operand(DNNL_ARG_SRC, 0, source);
  described.result(DNNL_ARG_DST, chosen.dst_desc());
  return described;
}

}  // namespace tessera::internal
