#include "tessera/ops/cpu/train/internal/in_threads.h"

namespace tessera {

TESSERA_KERNEL(momentum_update, cpu_train) {
  return internal::in_threads<internal::Name("momentum_update")>();
}

}  // namespace tessera
