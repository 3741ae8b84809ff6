#include "tessera/ops/cpu/internal/dnnl_reduction.h"
#include "tessera/ops/internal/reduction.h"

namespace tessera {
namespace {

/// oneDNN divides by what is here.
Support check(const OpCall& call) {
  const std::vector<bool> reduced =
      internal::chosen_axes(call.attr<Ints>("axis"), call.shape(0).size());
  for (size_t d = 0; d < reduced.size(); ++d)
    if (reduced[d] && call.shape(0)[d] != call.global(0)[d])
      return Support::no("other ranks hold parts of the mean");
  return Support::yes();
}

}  // namespace

TESSERA_KERNEL(reduce_mean, cpu) {
  return internal::dnnl_kernel<internal::describe_reduction<dnnl::algorithm::reduction_mean>,
                               check>();
}

}  // namespace tessera
