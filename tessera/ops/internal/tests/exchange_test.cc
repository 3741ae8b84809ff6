#include <gtest/gtest.h>

#include "tessera/comm/communicator.h"
#include "tessera/layout/exchange.h"
#include "tessera/ops/registry.h"
#include "tests/support/layout_oracle.h"

namespace tessera {
namespace {

using testing::Terms;

bool can_exchange(const Layout& from, const Layout& to) {
  try {
    check_exchange(from, to);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// What the rank holds in `layout`; nothing where the mesh does not have it.
Tensor part_of(const Terms& terms, const Layout& layout, const Shape& global, Rank rank) {
  if (!layout.mesh->find_place(rank)) return {DType::kI64, {0, 0}};
  std::vector<int64_t> values;
  const std::vector<int> at = testing::coordinates_by_counting(*layout.mesh, rank);
  for (const int64_t element : testing::elements_by_counting(layout, global, rank))
    values.push_back(terms.value(layout, at, element));
  return Tensor::of(std::span<const int64_t>(values), local_box(layout, global, rank).size);
}

Box box_of(const Layout& layout, const Shape& global, Rank rank) {
  return layout.mesh->find_place(rank) ? local_box(layout, global, rank) : Box{{0, 0}, {0, 0}};
}

bool is_max(const Layout& layout) {
  return !layout.partial.empty() && layout.partial.front().op == ReduceOp::kMax;
}

/// Runs the op twice with one prepared kernel, on the ranks of both layouts.
void expect_exchange(Communicator& world, const Layout& from, const Layout& to, DType dtype) {
  if (!from.mesh->find_place(world.rank()) && !to.mesh->find_place(world.rank())) return;
  const Shape global{5, 3};
  const Attrs attrs{{"after", to_string(to)}, {"axis", std::string()}, {"before", to_string(from)}};
  const TensorType operand(dtype, global, box_of(from, global, world.rank()));
  const TensorType result(dtype, global, box_of(to, global, world.rank()));
  const OpCall call{std::span(&operand, 1), std::span(&result, 1), attrs, {}, &world};
  const auto kernel = require_op("exchange").kernels.front().prepare(call, {});
  for (const uint32_t seed : {1U, 2U}) {
    const Terms terms(from, global, seed);
    const Tensor mine = part_of(terms, from, global, world.rank()).cast(dtype);
    Tensor got(dtype, result.shape());
    kernel->run(std::span(&mine, 1), std::span(&got, 1));
    const Tensor wanted = part_of(terms, to, global, world.rank()).cast(dtype);
    EXPECT_TRUE(std::equal(got.bytes().begin(), got.bytes().end(), wanted.bytes().begin()))
        << to_string(from) << " to " << to_string(to) << " in " << to_string(dtype) << " on rank "
        << world.rank() << ": " << to_string(got) << " instead of " << to_string(wanted);
  }
}

TEST(ExchangeOp, MovesAndCombinesWhatEveryPairOfLayoutsSays) {
  std::vector<Layout> froms, tos;
  for (const MeshPtr& mesh :
       {make_mesh({{"a", 2}, {"b", 2}}), make_mesh({{"c", 3}}), make_mesh({{"d", 2}}, {{3, 1}})}) {
    for (const Layout& layout : testing::every_layout(mesh, 2, true)) {
      if (layout.partial.empty()) tos.push_back(layout);
      froms.push_back(layout);
      for (Partial& partial : froms.back().partial) partial.op = ReduceOp::kMax;
      if (!layout.partial.empty()) froms.push_back(layout);
    }
  }
  size_t pairs = 0;
  for (const Layout& from : froms)
    for (const Layout& to : tos) pairs += can_exchange(from, to) ? 1 : 0;
  EXPECT_GT(pairs, 500U);
  run_world({.ranks = 4, .timeout_seconds = 60}, [&](Communicator& world) {
    const DType dtypes[] = {DType::kF32, DType::kI64, DType::kI16};  // the last wraps: no maxima
    for (size_t i = 0; i < froms.size(); ++i)
      for (size_t j = 0; j < tos.size(); ++j)
        if (can_exchange(froms[i], tos[j]))
          expect_exchange(world, froms[i], tos[j], dtypes[(i + j) % (is_max(froms[i]) ? 2 : 3)]);
  });
}

}  // namespace
}  // namespace tessera
