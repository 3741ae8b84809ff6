#include "tessera/ops/cpu/internal/dnnl_call.h"
#include "tessera/ops/internal/axis.h"

namespace tessera {
namespace {

using namespace internal;  // NOLINT: the words of this folder

size_t norm_axis(const OpCall& call) {
  return wrap_axis(call.attr<int64_t>("begin_norm_axis"), call.shape(0).size());
}

Support check(const OpCall& call) {
  const Shape& shape = call.shape(0);
  if (norm_axis(call) != wrap_axis(call.attr<int64_t>("begin_params_axis"), shape.size())) {
    return Support::no("gamma and beta do not have the dims that are normalised");
  }
  return Support::yes();
}

DnnlCall describe(const OpCall& call, const Formats&) {
  const AxisView view = axis_view(call.shape(0), norm_axis(call));
  const int64_t count = view.extent * view.inner;
  const DnnlDesc desc = plain_desc(DnnlDims{view.outer, count});
  const DnnlDesc parameter = plain_desc(DnnlDims{count});
  constexpr auto kKind = dnnl::prop_kind::forward_inference;
  const auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;
  const auto epsilon = static_cast<float>(call.attr<double>("epsilon"));
  using Norm = dnnl::layer_normalization_forward;
#if DNNL_VERSION_MAJOR >= 3
  const auto chosen = dnnl_primitive<Norm>({}, kKind, desc, desc, epsilon, flags);
#else
  const auto chosen = dnnl_primitive<Norm>({}, kKind, desc, epsilon, flags);
#endif
  DnnlCall described = dnnl_call<Norm>(chosen, static_cast<double>(view.outer * count));
  described.operand(DNNL_ARG_SRC, 0, desc);
  described.operand(DNNL_ARG_SCALE, 1, parameter);
  described.operand(DNNL_ARG_SHIFT, 2, parameter);
  described.result(DNNL_ARG_DST, desc);
  return described;
}

}  // namespace

TESSERA_KERNEL(layer_norm, cpu) {
  return internal::dnnl_kernel<describe, check>();
}

}  // namespace tessera
