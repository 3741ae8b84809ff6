#include "tessera/layout/step_cost.h"

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/layout/sharding_rule.h"

namespace tessera {
namespace {

// Uneven cuts into more parts are estimated from above instead of counted.
constexpr int64_t kMostPartsCounted = 1024;

double size_of(int64_t extent, int64_t part, int64_t count) {
  return static_cast<double>(factor_part(extent, part, count).size);
}

double floor_size(int64_t extent, int64_t count) {
  const int64_t size = extent / count;
  return static_cast<double>(size);
}

double ceil_size(int64_t extent, int64_t count) {
  const int64_t size = extent / count + (extent % count != 0 ? 1 : 0);
  return static_cast<double>(size);
}

/// The most that a rank at coordinate `at` of an axis of `size` gains when parts of `extent` that
/// the axis cut are joined to `count` parts.
double gain_at(int64_t extent, int64_t count, int64_t size, int64_t at) {
  double most = 0;
  for (int64_t i = 0; i < count; ++i)
    most = std::max(most, size_of(extent, i, count) - size_of(extent, i * size + at, count * size));
  return most;
}

}  // namespace

Traffic StepCosts::all_reduce(int64_t elements, int size) const {
  const int64_t others = size - 1;
  const int64_t part = (elements + size - 1) / size;
  const Traffic direct{others, checked_product(others * element_bytes_, elements)};
  const Traffic ring{2 * others, checked_product(2 * others * element_bytes_, part)};
  return price(direct) <= price(ring) ? direct : ring;
}

Traffic StepCosts::traffic(const Layout& before, const Step& step, Rank rank) const {
  if (step.axis < 0)
    return step.after.mesh->find_place(rank)
               ? exchange_traffic(before, step.after, global_, element_bytes_, rank)
               : Traffic{};
  if (step.kind == StepKind::kSlice || !before.mesh->find_place(rank)) return {};
  const int size = before.mesh->axes[static_cast<size_t>(step.axis)].size;
  const Box had = local_box(before, global_, rank), has = local_box(step.after, global_, rank);
  const int64_t elements = element_count(has.size);
  if (step.kind == StepKind::kAllReduce) return all_reduce(elements, size);
  const int64_t received = step.kind == StepKind::kReduceScatter
                               ? checked_product(elements, size - 1)
                               : elements - element_count(intersect(had, has).size);
  return {size - 1, checked_product(received, element_bytes_)};
}

double StepCosts::largest(size_t dim, int count) const {
  return ceil_size(global_[dim], count);
}

double StepCosts::largest_of_others(const std::vector<int>& counts, int a, int b) const {
  double elements = 1;
  for (size_t d = 0; d < counts.size(); ++d)
    if (static_cast<int>(d) != a && static_cast<int>(d) != b) elements *= largest(d, counts[d]);
  return elements;
}

double StepCosts::gathered(size_t dim, int count, int size) {
  const int64_t extent = global_[dim], fine = int64_t{count} * size;
  if (extent % fine == 0 || fine > kMostPartsCounted)
    return ceil_size(extent, count) - floor_size(extent, fine);
  const auto [found, fresh] = gathered_.try_emplace({extent, count, size}, 0);
  for (int64_t at = 0; fresh && at < size; ++at)
    found->second = std::max(found->second, gain_at(extent, count, size, at));
  return found->second;
}

double StepCosts::turned(const Move& move, const std::vector<int>& counts, int size) {
  const auto from = static_cast<size_t>(move.from_dim), to = static_cast<size_t>(move.to_dim);
  const int64_t joined = counts[from] / size, cut = counts[to];
  const int64_t extent_from = global_[from], extent_to = global_[to];
  if (extent_from % counts[from] == 0 || counts[from] > kMostPartsCounted ||
      cut * size > kMostPartsCounted)
    return (ceil_size(extent_from, joined) - floor_size(extent_from, counts[from])) *
           ceil_size(extent_to, cut * size);
  const auto [found, fresh] = turned_.try_emplace({extent_from, joined, extent_to, cut, size}, 0);
  // A rank has the same coordinate in the part it gives up and in the part it keeps.
  for (int64_t at = 0; fresh && at < size; ++at) {
    double kept = 0;
    for (int64_t i = 0; i < cut; ++i)
      kept = std::max(kept, size_of(extent_to, i * size + at, cut * size));
    found->second = std::max(found->second, kept * gain_at(extent_from, joined, size, at));
  }
  return found->second;
}

double StepCosts::of_move(const Move& move, const std::vector<int>& counts, int size) {
  const double others = size - 1;
  const double start_up = others * model_.latency_bytes;
  const auto dim = static_cast<size_t>(std::max(move.from_dim, 0));
  const auto bytes = static_cast<double>(element_bytes_);
  switch (move.kind) {
    case StepKind::kSlice:
      return 0;
    case StepKind::kAllGather:
      return start_up + bytes * gathered(dim, counts[dim] / size, size) *
                            largest_of_others(counts, move.from_dim, -1);
    case StepKind::kAllToAll:
      return start_up + bytes * turned(move, counts, size) *
                            largest_of_others(counts, move.from_dim, move.to_dim);
    case StepKind::kReduceScatter: {
      const auto to = static_cast<size_t>(move.to_dim);
      return start_up + bytes * others * largest(to, counts[to] * size) *
                            largest_of_others(counts, move.to_dim, -1);
    }
    case StepKind::kAllReduce:
      return price(all_reduce(static_cast<int64_t>(largest_of_others(counts, -1, -1)), size));
    case StepKind::kSendReceive:
    case StepKind::kExchange:
      break;
  }
  fail(ErrorCode::kInternal, "an exchange has no axis");
}

double StepCosts::of_exchange(const Layout& from, const Layout& to) const {
  double most = 0;
  for (const Rank rank : to.mesh->all_ranks())
    most = std::max(most, price(exchange_traffic(from, to, global_, element_bytes_, rank)));
  return most;
}

bool StepCosts::is_send_receive(const Layout& from, const Layout& to) const {
  for (const Rank rank : to.mesh->all_ranks())
    if (exchange_traffic(from, to, global_, 1, rank).messages > 1) return false;
  return true;
}

}  // namespace tessera
