#include "tessera/ops/cpu/internal/dnnl_binary.h"

namespace tessera {

TESSERA_KERNEL(mul, cpu) {
  return internal::binary_kernel<dnnl::algorithm::binary_mul, true>();
}

}  // namespace tessera
