#include "tessera/ops/cpu/internal/dnnl_binary.h"

namespace tessera {

TESSERA_KERNEL(div, cpu) {
  return internal::binary_kernel<dnnl::algorithm::binary_div, false>();
}

}  // namespace tessera
