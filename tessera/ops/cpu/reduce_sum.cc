#include "tessera/ops/cpu/internal/dnnl_reduction.h"

namespace tessera {

TESSERA_KERNEL(reduce_sum, cpu) {
  return internal::dnnl_kernel<internal::describe_reduction<dnnl::algorithm::reduction_sum>>();
}

}  // namespace tessera
