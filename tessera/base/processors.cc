#include "tessera/base/processors.h"

#include <sched.h>

namespace tessera {

int current_processor() {
  return sched_getcpu();
}

void step_aside(const std::function<bool(int processor)>& is_taken) {
  cpu_set_t all;
  if (sched_getaffinity(0, sizeof all, &all) != 0) return;
  cpu_set_t free = all;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &all) && is_taken(cpu)) CPU_CLR(cpu, &free);
  if (CPU_COUNT(&free) == 0 || sched_setaffinity(0, sizeof free, &free) != 0) return;
  sched_setaffinity(0, sizeof all, &all);
}

}  // namespace tessera
