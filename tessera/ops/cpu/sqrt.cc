#include "tessera/ops/cpu/internal/dnnl_eltwise.h"

namespace tessera {

TESSERA_KERNEL(sqrt, cpu) {
  return internal::eltwise_kernel<dnnl::algorithm::eltwise_sqrt>();
}

}  // namespace tessera
