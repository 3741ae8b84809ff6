#include "tessera/ops/cpu/internal/in_threads.h"

namespace tessera {

TESSERA_KERNEL(momentum_update, cpu) {
  return internal::in_threads<internal::Name("momentum_update")>();
}

}  // namespace tessera
