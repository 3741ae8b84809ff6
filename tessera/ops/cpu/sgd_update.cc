#include "tessera/ops/cpu/internal/in_threads.h"

namespace tessera {

TESSERA_KERNEL(sgd_update, cpu) {
  return internal::in_threads<internal::Name("sgd_update")>();
}

}  // namespace tessera
