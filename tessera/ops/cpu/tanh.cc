#include "tessera/ops/cpu/internal/dnnl_eltwise.h"

namespace tessera {

TESSERA_KERNEL(tanh, cpu) {
  return internal::activation_kernel<Activation::kTanh>();
}

}  // namespace tessera
