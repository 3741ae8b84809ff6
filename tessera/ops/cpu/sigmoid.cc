#include "tessera/ops/cpu/internal/dnnl_eltwise.h"

namespace tessera {

TESSERA_KERNEL(sigmoid, cpu) {
  return internal::activation_kernel<Activation::kSigmoid>();
}

}  // namespace tessera
