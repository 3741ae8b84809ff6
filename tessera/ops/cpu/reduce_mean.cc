#include "tessera/ops/cpu/internal/dnnl_reduction.h"

namespace tessera {

TESSERA_KERNEL(reduce_mean, cpu) {
  return internal::dnnl_kernel<internal::describe_reduction<dnnl::algorithm::reduction_mean>>();
}

}  // namespace tessera
