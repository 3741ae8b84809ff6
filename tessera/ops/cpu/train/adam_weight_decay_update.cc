#include "tessera/ops/cpu/train/internal/in_threads.h"

namespace tessera {

TESSERA_KERNEL(adam_weight_decay_update, cpu_train) {
  return internal::in_threads<internal::Name("adam_weight_decay_update")>();
}

}  // namespace tessera
