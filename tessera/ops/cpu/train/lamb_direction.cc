#include "tessera/ops/cpu/train/internal/in_threads.h"

namespace tessera {

TESSERA_KERNEL(lamb_direction, cpu_train) {
  return internal::in_threads<internal::Name("lamb_direction")>();
}

}  // namespace tessera
