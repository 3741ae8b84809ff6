// What every oneDNN kernel shares: memory formats, arguments and posts of a primitive, and turning
// a description of a primitive into a Kernel. A kernel file says only how its op's call becomes a
// primitive:
//
//   DnnlCall describe(const OpCall& call, const Formats& offered);
//   TESSERA_KERNEL(relu, cpu) { return dnnl_kernel<describe>(); }
#pragma once

#include <functional>
#include <oneapi/dnnl/dnnl.hpp>

#include "tessera/graph/kernel.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/activation.h"

namespace tessera::internal {

using DnnlDesc = dnnl::memory::desc;
using DnnlDims = dnnl::memory::dims;

const dnnl::engine& dnnl_engine();

/// f32, row-major.
DnnlDesc plain_desc(const DnnlDims& dims);
DnnlDesc plain_desc(const Shape& shape);
/// f32, and the primitive chooses the format.
DnnlDesc any_desc(const DnnlDims& dims);
DnnlDims dims_of(const Shape& shape);

/// A format of oneDNN's; null for row-major.
Format format_of(const DnnlDesc& desc);
/// The description of operand `i` as it is offered.
DnnlDesc offered_desc(const OpCall& call, const Formats& offered, size_t i);
/// Whether operand `i` is known when the program is compiled.
bool is_constant(const OpCall& call, size_t i);

/// How a call is computed by one primitive.
struct DnnlCall {
  struct Argument {
    int id;  // DNNL_ARG_...
    bool is_result;
    size_t position;  // of the operand or result
    DnnlDesc desc;
    Format format;  // as the runtime sees it
  };

  std::function<dnnl::primitive()> create;
  std::string implementation;  // "jit:avx512_core"
  std::vector<Argument> arguments;
  int overwritten = -1;  // PreparedKernel::overwritten_operand
  double work = 0;       // multiply-adds, or elements touched

  void operand(int id, size_t position, const DnnlDesc& desc) {
    arguments.push_back({id, false, position, desc, format_of(desc)});
  }
  /// An operand that lies row-major in its own dims, which `desc` describes in another order.
  void row_major_operand(int id, size_t position, const DnnlDesc& desc) {
    arguments.push_back({id, false, position, desc, nullptr});
  }
  void result(int id, const DnnlDesc& desc) {
    arguments.push_back({id, true, 0, desc, format_of(desc)});
  }
};

/// What oneDNN decides for a `Primitive` with these arguments (those of its description, without
/// engine and attributes). Throws dnnl::error where it has no implementation.
template <typename Primitive, typename... Args>
typename Primitive::primitive_desc dnnl_primitive(const dnnl::primitive_attr& attr,
                                                  const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(dnnl_engine(), args..., attr);
#else
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), attr, dnnl_engine());
#endif
}

/// A call of the primitive described by `chosen`, without arguments yet.
template <typename Primitive>
DnnlCall dnnl_call(const typename Primitive::primitive_desc& chosen, double work) {
  DnnlCall call;
  call.create = [chosen] { return dnnl::primitive(Primitive(chosen)); };
  call.implementation = chosen.impl_info_str();
  call.work = work;
  return call;
}

/// oneDNN's word for an elementwise function; `alpha` is the slope of leaky_relu.
struct Eltwise {
  dnnl::algorithm algorithm;
  float alpha = 0;
  float beta = 0;
};
Eltwise eltwise_of(Activation activation, double alpha);

/// The end of a fusable op, activation(sum + bias + residual), as attributes of its primitive. A
/// residual is added to what lies in the result's memory already.
dnnl::primitive_attr fused_attr(const OpCall& call);
bool has_bias(const OpCall& call);
bool has_residual(const OpCall& call);
/// Whether bias and residual have the shapes that the primitives take: [channels], the result's.
Support fused_shapes_fit(const OpCall& call, int64_t channels);
/// Adds bias and residual, where the call has them, to a call whose result is `result`.
void add_fused_operands(DnnlCall& described, const OpCall& call, const DnnlDesc& bias,
                        const DnnlDesc& result);

using DescribeDnnl = DnnlCall (*)(const OpCall&, const Formats&);

/// Yes when all is f32, whole and not empty, and oneDNN has an implementation.
Support dnnl_supports(const OpCall& call, DescribeDnnl describe);
std::unique_ptr<PreparedKernel> dnnl_prepare(const OpCall& call, const DnnlCall& described);

/// A kernel of the op whose calls `describe` turns into primitives. `check` says no where the
/// primitive means something else than the op.
template <DescribeDnnl describe, Support (*check)(const OpCall&) = nullptr>
Kernel dnnl_kernel() {
  return {.name = "onednn",
          .device = DeviceKind::kCpu,
          .supports =
              [](const OpCall& call) {
                if (check != nullptr) {
                  if (Support support = check(call); !support.ok) return support;
                }
                return dnnl_supports(call, describe);
              },
          .prepare =
              [](const OpCall& call, const Formats& offered) {
                return dnnl_prepare(call, describe(call, offered));
              }};
}

}  // namespace tessera::internal
