#include "tessera/ops/cpu/internal/in_threads.h"

namespace tessera {

TESSERA_KERNEL(adagrad_update, cpu) {
  return internal::in_threads<internal::Name("adagrad_update")>();
}

}  // namespace tessera
