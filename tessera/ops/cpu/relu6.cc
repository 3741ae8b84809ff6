#include "tessera/ops/cpu/internal/dnnl_eltwise.h"

namespace tessera {

TESSERA_KERNEL(relu6, cpu) {
  return internal::activation_kernel<Activation::kRelu6>();
}

}  // namespace tessera
