#include "tessera/ops/cpu/train/internal/in_threads.h"

namespace tessera {

TESSERA_KERNEL(sgd_update, cpu_train) {
  return internal::in_threads<internal::Name("sgd_update")>();
}

}  // namespace tessera
