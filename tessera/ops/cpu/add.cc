#include "tessera/ops/cpu/internal/dnnl_binary.h"

namespace tessera {

TESSERA_KERNEL(add, cpu) {
  return internal::binary_kernel<dnnl::algorithm::binary_add, true>();
}

}  // namespace tessera
