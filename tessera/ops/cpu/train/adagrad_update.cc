#include "tessera/ops/cpu/train/internal/in_threads.h"

namespace tessera {

TESSERA_KERNEL(adagrad_update, cpu_train) {
  return internal::in_threads<internal::Name("adagrad_update")>();
}

}  // namespace tessera
