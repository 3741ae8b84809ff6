#include "tessera/ops/cpu/internal/dnnl_eltwise.h"

namespace tessera {

TESSERA_KERNEL(neg, cpu) {
  return internal::eltwise_kernel<dnnl::algorithm::eltwise_linear, -1>();
}

}  // namespace tessera
