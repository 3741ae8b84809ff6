// A rank of a job that does not run: kernels that communicate can be prepared with it, so that a
// program is planned without devices. It is in every group and moves nothing.
#pragma once

#include <memory>

#include "tessera/comm/communicator.h"

namespace tessera {

/// Rank `rank` of `size`. Whatever would move data throws kInternal.
std::unique_ptr<Communicator> planned_rank(Rank rank, int size);

}  // namespace tessera
