#include "tessera/ops/cpu/internal/dnnl_eltwise.h"

namespace tessera {

TESSERA_KERNEL(relu, cpu) {
  return internal::activation_kernel<Activation::kRelu>();
}

}  // namespace tessera
