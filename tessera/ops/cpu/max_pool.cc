#include "tessera/ops/cpu/internal/dnnl_pool.h"

namespace tessera {
namespace {

internal::DnnlCall describe(const OpCall& call, const Formats& offered) {
  return internal::describe_pool(call, offered, dnnl::algorithm::pooling_max);
}

}  // namespace

TESSERA_KERNEL(max_pool, cpu) {
  return internal::dnnl_kernel<describe>();
}

}  // namespace tessera
