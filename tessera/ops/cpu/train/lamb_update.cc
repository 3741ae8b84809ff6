#include "tessera/ops/cpu/train/internal/in_threads.h"

namespace tessera {

TESSERA_KERNEL(lamb_update, cpu_train) {
  return internal::in_threads<internal::Name("lamb_update")>();
}

}  // namespace tessera
