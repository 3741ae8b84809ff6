#include "tessera/ops/cpu/internal/dnnl_binary.h"

namespace tessera {

TESSERA_KERNEL(sub, cpu) {
  return internal::binary_kernel<dnnl::algorithm::binary_sub, false>();
}

}  // namespace tessera
