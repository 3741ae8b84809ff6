// Which processor a thread computes on. The system often leaves a thread for a while on the
// processor of who started or woke it, where the two take turns, while another has nothing to do.
#pragma once

#include <functional>

namespace tessera {

/// The processor that the calling thread is on; -1 where the system does not tell.
int current_processor();

/// Moves the calling thread to a processor that it may use and that is not taken, if there is one.
/// It is not bound to it.
void step_aside(const std::function<bool(int processor)>& is_taken);

}  // namespace tessera
