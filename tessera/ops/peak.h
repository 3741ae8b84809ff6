// What this machine can compute at most: the yardstick of a profile.
#pragma once

namespace tessera {

/// Floating-point operations per second of `threads` threads that do nothing but fused
/// multiply-adds on the widest vectors that the kernels use, as measured now, in some tens of
/// milliseconds: clocks and neighbours change it. 0 where the processor has no such vectors.
double measure_peak(int threads);

}  // namespace tessera
