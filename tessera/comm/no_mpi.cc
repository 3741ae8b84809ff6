// In place of mpi.cc where a build has no MPI.
#include "tessera/base/error.h"
#include "tessera/comm/internal/backends.h"

namespace tessera {

bool has_mpi() {
  return false;
}

void internal::run_mpi(const WorldOptions& /*options*/, const Body& /*body*/) {
  fail(ErrorCode::kUnsupported,
       "this build of Tessera has no MPI: install libopenmpi-dev and openmpi-bin, then configure "
       "and build again (cmake -DTESSERA_MPI=ON); ranks in one process need none: --ranks N");
}

}  // namespace tessera
