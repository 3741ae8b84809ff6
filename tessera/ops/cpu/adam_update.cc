#include "tessera/ops/cpu/internal/in_threads.h"

namespace tessera {

TESSERA_KERNEL(adam_update, cpu) {
  return internal::in_threads<internal::Name("adam_update")>();
}

}  // namespace tessera
