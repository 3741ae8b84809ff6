// The exchange: every rank fetches the parts of its new box from the ranks that hold them, in one
// go. It turns any layout into any other, whatever their ranks.
//
//   {a=2,b=2} [a, b] to {c=4} [c, -] of [4,6]: rank 1 receives [1,0]+[1,3] from rank 0 and
//   [1,3]+[1,3] from rank 1, itself
#pragma once

#include <vector>

#include "tessera/layout/layout.h"

namespace tessera {

/// A part that a rank takes from `source`, which may be itself.
struct Receive {
  Rank source = 0;
  Box box;  // global coordinates
  bool operator==(const Receive&) const = default;
};

/// What one rank receives from others; what it holds itself does not count.
struct Traffic {
  int64_t messages = 0;
  int64_t bytes = 0;
  bool operator==(const Traffic&) const = default;
};

/// Throws kInvalidArgument unless an exchange turns `from` into `to`: partial values of `to` are
/// partial in `from`, over the same mesh, and the values that are combined have one operation.
void check_exchange(const Layout& from, const Layout& to);

/// The parts that fill the box that `rank` has in `to`. Each inner list fills it exactly once;
/// there is one list per term where `from` holds partial values that `to` does not, to be combined
/// element by element. Parts come from the rank itself where it holds them, else from the replica
/// that is like it in the axes that repeat, so that all replicas send.
std::vector<std::vector<Receive>> exchange_parts(const Layout& from, const Layout& to,
                                                 const Shape& global, Rank rank);
/// The same, counted without listing it.
Traffic exchange_traffic(const Layout& from, const Layout& to, const Shape& global,
                         int64_t element_bytes, Rank rank);

}  // namespace tessera
