#include "tessera/ops/cpu/internal/in_threads.h"

namespace tessera {

TESSERA_KERNEL(lamb_direction, cpu) {
  return internal::in_threads<internal::Name("lamb_direction")>();
}

}  // namespace tessera
