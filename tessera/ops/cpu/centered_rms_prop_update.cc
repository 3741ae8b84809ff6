#include "tessera/ops/cpu/internal/in_threads.h"

namespace tessera {

TESSERA_KERNEL(centered_rms_prop_update, cpu) {
  return internal::in_threads<internal::Name("centered_rms_prop_update")>();
}

}  // namespace tessera
