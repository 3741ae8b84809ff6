#include "tessera/ops/cpu/internal/dnnl_call.h"
#include "tessera/ops/internal/axis.h"

namespace tessera {
namespace {

using namespace internal;  // NOLINT: the words of this folder

DnnlCall describe(const OpCall& call, const Formats& offered) {
  const auto axis =
      static_cast<int>(wrap_axis(call.attr<int64_t>("axis"), call.results[0].shape().size()));
  std::vector<DnnlDesc> sources;
  for (size_t i = 0; i < call.operand_count(); ++i) {
    sources.push_back(offered_desc(call, offered, i));
  }
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::concat::primitive_desc chosen(dnnl_engine(), axis, sources);
#else
  const dnnl::concat::primitive_desc chosen(axis, sources, dnnl_engine());
#endif
  DnnlCall described =
      dnnl_call<dnnl::concat>(chosen, static_cast<double>(element_count(call.results[0].shape())));
  for (size_t i = 0; i < sources.size(); ++i) {
    described.operand(DNNL_ARG_MULTIPLE_SRC + static_cast<int>(i), i, sources[i]);
  }
  described.result(DNNL_ARG_DST, chosen.dst_desc());
  return described;
}

}  // namespace

TESSERA_KERNEL(concat, cpu) {
  return internal::dnnl_kernel<describe>();
}

}  // namespace tessera
