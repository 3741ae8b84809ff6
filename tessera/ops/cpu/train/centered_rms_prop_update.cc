#include "tessera/ops/cpu/train/internal/in_threads.h"

namespace tessera {

TESSERA_KERNEL(centered_rms_prop_update, cpu_train) {
  return internal::in_threads<internal::Name("centered_rms_prop_update")>();
}

}  // namespace tessera
