#include "tessera/ops/cpu/train/internal/in_threads.h"

namespace tessera {

TESSERA_KERNEL(rms_prop_update, cpu_train) {
  return internal::in_threads<internal::Name("rms_prop_update")>();
}

}  // namespace tessera
