#include "tessera/ops/cpu/internal/dnnl_eltwise.h"

namespace tessera {

TESSERA_KERNEL(exp, cpu) {
  return internal::eltwise_kernel<dnnl::algorithm::eltwise_exp>();
}

}  // namespace tessera
