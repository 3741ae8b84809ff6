#include "tessera/ops/cpu/internal/dnnl_reduction.h"

namespace tessera {

TESSERA_KERNEL(reduce_max, cpu) {
  return internal::dnnl_kernel<internal::describe_reduction<dnnl::algorithm::reduction_max>>();
}

}  // namespace tessera
