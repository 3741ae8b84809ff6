#include "tessera/ops/cpu/internal/dnnl_pool.h"
#include "tessera/ops/internal/window.h"

namespace tessera {
namespace {

bool counts_padding(const OpCall& call) {
  return call.attr<std::string>("pad_mode") == "pad" && call.attr<bool>("count_include_pad");
}

bool reaches_beyond_padding(const WindowDim& dim) {
  return dim.begin(dim.output - 1) + dim.kernel > dim.input + dim.pad_end;
}

Support check(const OpCall& call) {
  const Window window = pool_window(call);
  if (counts_padding(call) &&
      (reaches_beyond_padding(window.y) || reaches_beyond_padding(window.x))) {
    return Support::no("oneDNN counts what ceil_mode adds beyond the padding");
  }
  return Support::yes();
}

internal::DnnlCall describe(const OpCall& call, const Formats& offered) {
  return internal::describe_pool(call, offered,
                                 counts_padding(call)
                                     ? dnnl::algorithm::pooling_avg_include_padding
                                     : dnnl::algorithm::pooling_avg_exclude_padding);
}

}  // namespace

TESSERA_KERNEL(avg_pool, cpu) {
  return internal::dnnl_kernel<describe, check>();
}

}  // namespace tessera
