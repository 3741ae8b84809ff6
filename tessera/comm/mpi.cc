// Ranks that mpirun has started.
#include "tessera/base/error.h"
#include "tessera/comm/internal/backends.h"

namespace tessera {

bool has_mpi() {
  return true;
}

void internal::run_mpi(const WorldOptions& /*options*/, const Body& /*body*/) {
  fail(ErrorCode::kUnsupported, "not yet");
}

}  // namespace tessera
