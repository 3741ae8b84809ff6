#include "tessera/comm/communicator.h"

#include <fmt/format.h>

#include <algorithm>

#include "tessera/base/error.h"

namespace tessera {

Communicator::~Communicator() = default;

Communicator& Communicator::group(std::span<const Rank> ranks) {
  const bool everyone = std::ssize(ranks) == size();
  if (everyone && std::is_sorted(ranks.begin(), ranks.end())) return *this;
  std::unique_ptr<Communicator>& known = groups_[{ranks.begin(), ranks.end()}];
  if (known == nullptr) known = split(ranks);
  return *known;
}

}  // namespace tessera
