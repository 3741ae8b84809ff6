// The backends behind run_world: each runs the body on its ranks, whose number is checked.
#pragma once

#include "tessera/base/error.h"
#include "tessera/comm/communicator.h"

namespace tessera::internal {

/// What every rank of a group throws at the same call; its message names the ranks itself.
class JobError : public Error {
 public:
  using Error::Error;
};

using Body = std::function<void(Communicator&)>;

void run_local(const WorldOptions& options, const Body& body);
void run_single(const WorldOptions& options, const Body& body);
/// Throws kUnsupported where this build has no MPI.
void run_mpi(const WorldOptions& options, const Body& body);

}  // namespace tessera::internal
