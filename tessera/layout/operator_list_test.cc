// A plan never moves more bytes than the list of operators that MindSpore infers for the same two
// layouts. The list is inferred here anew: gathers along one device dim and slices, on both layouts
// brought to common device dims and common tensor dims.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "tessera/layout/redistribute.h"

namespace tessera::testing {
namespace {

/// A flat layout: per tensor dim the device dim that cuts it, counted from the left, or -1.
struct Flat {
  std::vector<int64_t> devices;
  std::vector<int> map;
  std::vector<int64_t> shape;
};

/// The finest division that has all the products of both, from the left; empty where there is none.
std::vector<int64_t> common(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  std::vector<int64_t> products;
  for (const auto* list : {&a, &b}) {
    int64_t product = 1;
    for (const int64_t size : *list) products.push_back(product *= size);
  }
  std::sort(products.begin(), products.end());
  products.erase(std::unique(products.begin(), products.end()), products.end());
  std::vector<int64_t> made;
  int64_t before = 1;
  for (const int64_t product : products) {
    if (product % before != 0) return {};
    if (product != before) made.push_back(product / before);
    before = product;
  }
  return made;
}

/// The factors of `whole` that multiply to each entry of `coarse`.
std::vector<std::vector<int64_t>> factors_of(const std::vector<int64_t>& coarse,
                                             const std::vector<int64_t>& fine) {
  std::vector<std::vector<int64_t>> made(coarse.size());
  size_t next = 0;
  for (size_t i = 0; i < coarse.size(); ++i)
    for (int64_t product = 1; product < coarse[i]; product *= fine[next++])
      made[i].push_back(fine[next]);
  return made;
}

int64_t product_of(const std::vector<int64_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
}

/// The same placement on finer device dims; a dim that one cut is cut by all its factors, in turn.
bool refine_devices(Flat& flat, const std::vector<int64_t>& devices) {
  const auto factors = factors_of(flat.devices, devices);
  std::vector<int> first(factors.size(), 0);
  for (size_t i = 1; i < factors.size(); ++i)
    first[i] = first[i - 1] + static_cast<int>(factors[i - 1].size());
  Flat made{devices, {}, {}};
  for (size_t d = 0; d < flat.map.size(); ++d) {
    int64_t left = flat.shape[d];
    if (flat.map[d] >= 0) {
      const auto& parts = factors[static_cast<size_t>(flat.map[d])];
      for (size_t p = 0; p + 1 < parts.size(); ++p) {
        if (left % parts[p] != 0) return false;
        made.shape.push_back(parts[p]);
        made.map.push_back(first[static_cast<size_t>(flat.map[d])] + static_cast<int>(p));
        left /= parts[p];
      }
      made.map.push_back(first[static_cast<size_t>(flat.map[d])] + static_cast<int>(parts.size()) -
                         1);
    } else {
      made.map.push_back(-1);
    }
    made.shape.push_back(left);
  }
  flat = made;
  return true;
}

/// The same placement of the tensor in finer dims: a device dim that cuts several is split too.
bool refine_shape(Flat& flat, const std::vector<int64_t>& shape) {
  const auto factors = factors_of(flat.shape, shape);
  std::vector<std::vector<int64_t>> devices;
  for (const int64_t size : flat.devices) devices.push_back({size});
  for (size_t d = 0; d < factors.size(); ++d) {
    if (flat.map[d] < 0) continue;
    const int64_t size = flat.devices[static_cast<size_t>(flat.map[d])];
    std::vector<int64_t> parts;
    int64_t left = size;
    for (const int64_t extent : factors[d]) {
      if (left == 1) break;
      const int64_t part = std::min(left, extent);
      if (left % part != 0 || extent % part != 0) return false;
      parts.push_back(part);
      left /= part;
    }
    devices[static_cast<size_t>(flat.map[d])] = parts;
  }
  std::vector<int> first(devices.size(), 0);
  Flat made;
  for (size_t i = 0; i < devices.size(); ++i) {
    first[i] = static_cast<int>(made.devices.size());
    made.devices.insert(made.devices.end(), devices[i].begin(), devices[i].end());
  }
  for (size_t d = 0; d < factors.size(); ++d) {
    for (size_t p = 0; p < factors[d].size(); ++p) {
      const int device = flat.map[d];
      const bool cut = device >= 0 && p < devices[static_cast<size_t>(device)].size();
      made.map.push_back(cut ? first[static_cast<size_t>(device)] + static_cast<int>(p) : -1);
      made.shape.push_back(factors[d][p]);
    }
  }
  flat = made;
  return true;
}

/// Brings both to the same device dims and the same tensor dims, where that can be.
bool unify(Flat& from, Flat& to) {
  while (true) {
    const std::vector<int64_t> devices = common(from.devices, to.devices);
    if (devices.empty() && !(from.devices.empty() && to.devices.empty())) return false;
    if (!refine_devices(from, devices) || !refine_devices(to, devices)) return false;
    std::vector<int64_t> shape = common(from.shape, to.shape);
    if (shape.empty()) return false;
    if (from.devices == to.devices && from.shape == shape && to.shape == shape) return true;
    if (!refine_shape(from, shape) || !refine_shape(to, shape)) return false;
  }
}

/// Infers the gathers; each is the size of its group.
class Inference {
 public:
  Inference(const Flat& from, const Flat& to) : devices_(from.devices), now_(from.map) {
    elements_ = product_of(from.shape);
    for (const int device : from.map)
      if (device >= 0) elements_ /= devices_[static_cast<size_t>(device)];
    target_ = to.map;
    for (size_t i = 0; i < now_.size(); ++i) open_.push_back(i);
    while (!open_.empty()) {
      bool moved = split();
      while (permute()) moved = true;
      if (moved) continue;
      if (!concat_unwanted()) force();
    }
  }
  std::vector<int64_t> groups;
  int64_t received = 0;  // elements, by each rank

 private:
  bool is_used(int device) const {
    return std::any_of(open_.begin(), open_.end(), [&](size_t i) { return now_[i] == device; });
  }
  void close(size_t i) { open_.erase(std::find(open_.begin(), open_.end(), i)); }
  void concat(size_t i) {
    const int64_t size = devices_[static_cast<size_t>(now_[i])];
    groups.push_back(size);
    received += (size - 1) * elements_;
    elements_ *= size;
    now_[i] = -1;
  }
  void cut(size_t i) {
    elements_ /= devices_[static_cast<size_t>(target_[i])];
    close(i);
  }

  bool split() {
    bool moved = false;
    for (const size_t i : std::vector<size_t>(open_)) {
      if (now_[i] == target_[i]) {
        close(i);
        moved = true;
      } else if (now_[i] < 0 && !is_used(target_[i])) {
        cut(i);
        moved = true;
      }
    }
    return moved;
  }
  bool permute() {
    for (const size_t i : std::vector<size_t>(open_)) {
      if (now_[i] >= 0 || target_[i] < 0) continue;
      for (const size_t j : open_) {
        if (now_[j] != target_[i]) continue;
        concat(j);
        cut(i);
        return true;
      }
    }
    return false;
  }
  bool concat_unwanted() {
    bool moved = false;
    for (const size_t i : std::vector<size_t>(open_)) {
      if (now_[i] < 0 || std::find(target_.begin(), target_.end(), now_[i]) != target_.end())
        continue;
      concat(i);
      if (target_[i] < 0) close(i);
      moved = true;
    }
    return moved;
  }
  void force() {
    const size_t i = open_.front();
    if (now_[i] >= 0) concat(i);
    if (target_[i] < 0) close(i);
  }

  std::vector<int64_t> devices_;
  std::vector<int> now_, target_;
  std::vector<size_t> open_;
  int64_t elements_ = 1;
};

Flat flat_of(const TensorMap& map, const Shape& shape) {
  const TensorMap squeezed = squeeze(map);
  Flat made;
  made.devices.assign(squeezed.device_matrix.begin(), squeezed.device_matrix.end());
  for (size_t d = 0; d < shape.size(); ++d) {
    const auto& dims = squeezed.dims[d];
    const bool cut = !dims.empty() && dims[0] >= 0;
    made.map.push_back(cut ? static_cast<int>(made.devices.size()) - 1 - dims[0] : -1);
    made.shape.push_back(shape[d]);
  }
  return made;
}

struct ListCost {
  std::vector<int64_t> groups;
  int64_t received = 0;  // elements, by each rank
};

ListCost operator_list(const TensorMap& source, const TensorMap& target, const Shape& shape) {
  Flat from = flat_of(source, shape);
  Flat to = flat_of(target, shape);
  const Flat given = from;
  if (!unify(from, to)) {  // all is gathered, and cut again
    from = to = given;
    std::fill(to.map.begin(), to.map.end(), -1);
  }
  const Inference inferred(from, to);
  return {inferred.groups, inferred.received};
}

TEST(OperatorList, TheOracleInfersThePublishedLists) {
  struct Case {
    TensorMap from, to;
    Shape shape;
    std::vector<int64_t> groups;
  };
  const Case cases[] = {
      {{{1, 8}, {{1}, {0}}}, {{1, 4, 2}, {{2}, {1}}}, {32, 256}, {2}},
      {{{8}, {{0}, {}}}, {{4, 2}, {{1}, {}}}, {32, 256}, {2}},
      {{{4, 2}, {{1}, {0}}}, {{1, 8}, {{}, {}}}, {32, 256}, {4, 2}},
      {{{8, 1}, {{1}, {0}}}, {{2, 1, 4}, {{2}, {1}}}, {32, 256}, {4}},
      {{{8, 1}, {{1}, {}}}, {{1, 8}, {{}, {0}}}, {32, 64}, {8}},
      {{{2, 2, 2}, {{2}, {1}, {0}}}, {{8, 1, 1}, {{2}, {1}, {0}}}, {32, 64, 128}, {2, 2}},
      {{{8, 1, 8}, {{2}, {1}, {}}}, {{8, 8, 1}, {{2}, {1}, {0}}}, {32, 64, 128}, {}}};
  for (const Case& one : cases)
    EXPECT_EQ(operator_list(one.from, one.to, one.shape).groups, one.groups);
}

/// All maps of a matrix over `ndim` dims.
std::vector<TensorMap> every_map(const std::vector<int>& matrix, size_t ndim) {
  std::vector<TensorMap> made = {{matrix, {}}};
  for (size_t d = 0; d < ndim; ++d) {
    std::vector<TensorMap> longer;
    for (const TensorMap& map : made) {
      for (int device = -1; device < std::ssize(matrix); ++device) {
        const std::vector<int> cut = device < 0 ? std::vector<int>{} : std::vector<int>{device};
        if (device >= 0 && std::find(map.dims.begin(), map.dims.end(), cut) != map.dims.end())
          continue;
        longer.push_back(map);
        longer.back().dims.push_back(cut);
      }
    }
    made = longer;
  }
  return made;
}

TEST(OperatorList, NoPlanMovesMoreBytes) {
  size_t pairs = 0;
  const std::vector<std::vector<std::vector<int>>> alike = {
      {{4}, {2, 2}}, {{8}, {4, 2}, {2, 4}, {2, 2, 2}}, {{6}, {2, 3}, {3, 2}}};
  for (const auto& matrices : alike) {
    for (const Shape& shape : {Shape{48, 96}, Shape{24, 48, 24}, Shape{1536, 3072}}) {
      std::vector<TensorMap> maps;
      for (const std::vector<int>& matrix : matrices)
        for (const TensorMap& map : every_map(matrix, shape.size())) maps.push_back(map);
      for (size_t number = 0; number < maps.size() * maps.size(); ++number) {
        const TensorMap& source = maps[number / maps.size()];
        const TensorMap& target = maps[number % maps.size()];
        const Plan plan =
            plan_redistribution(from_tensor_map(source), from_tensor_map(target), shape, 4);
        const int ranks = plan.from.mesh->rank_count();
        int64_t bytes = 0;
        for (Rank rank = 0; rank < ranks; ++rank) bytes += traffic(plan, shape, 4, rank).bytes;
        const ListCost list = operator_list(source, target, shape);
        ASSERT_LE(bytes, list.received * 4 * ranks)
            << to_string(from_tensor_map(source)) << " to " << to_string(from_tensor_map(target))
            << " of " << to_string(shape) << "\n"
            << to_string(plan);
        ++pairs;
      }
    }
  }
  EXPECT_GT(pairs, 5000U);
}

}  // namespace
}  // namespace tessera::testing
