#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "tests/placement/case_lists.h"
#include "tests/placement/nets.h"

namespace tessera::testing {
namespace {

template <typename T>
const T& any_of(const std::vector<T>& list, Random& random) {
  return list[below(random, list.size())];
}

/// A mesh of these many ranks: some of their divisors as axes, the ranks now and then shuffled.
MeshPtr random_mesh(int ranks, Random& random) {
  std::vector<std::string> names = {"dp", "tp", "sp", "x"};
  std::shuffle(names.begin(), names.end(), random);
  std::vector<MeshAxis> axes;
  for (int left = ranks; left > 1 || axes.empty();) {
    std::vector<int> divisors;
    for (int d = std::min(left, 2); d <= left; ++d)
      if (left % d == 0) divisors.push_back(d);
    const int size = axes.size() == 3 ? left : any_of(divisors, random);
    axes.push_back({names[axes.size()], size});
    left /= size;
  }
  std::vector<Rank> order;
  if (chance(random, 25)) {
    order.resize(static_cast<size_t>(ranks));
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
  }
  return make_mesh(std::move(axes), std::move(order));
}

/// Scopes of a net in the order of its nodes, in `count` runs.
std::vector<std::vector<std::string>> random_stages(const Graph& graph, size_t count,
                                                    Random& random) {
  std::vector<std::string> scopes;
  for (const Node& node : graph.nodes)
    if (!node.scope.empty() && std::find(scopes.begin(), scopes.end(), node.scope) == scopes.end())
      scopes.push_back(node.scope);
  if (scopes.size() < count) return {};
  std::vector<size_t> ends = {scopes.size()};
  while (ends.size() < count) {
    const size_t end = 1 + below(random, scopes.size() - 1);
    if (std::find(ends.begin(), ends.end(), end) == ends.end()) ends.push_back(end);
  }
  std::sort(ends.begin(), ends.end());
  std::vector<std::vector<std::string>> stages;
  size_t begin = 0;
  for (const size_t end : ends) {
    stages.emplace_back(scopes.begin() + static_cast<std::ptrdiff_t>(begin),
                        scopes.begin() + static_cast<std::ptrdiff_t>(end));
    begin = end;
  }
  return stages;
}

}  // namespace

PlacementCase random_case(Random& random) {
  static const std::vector<std::string> kNets = {"lenet5", "mlp",     "mlp",   "mlp",  "tutorial",
                                                 "block",  "neg_neg", "block", "block"};
  PlacementCase made{.net = any_of(kNets, random)};
  made.rows = static_cast<int64_t>(below(random, 10));
  if (made.net == "lenet5") made.rows = std::min<int64_t>(made.rows, 4);
  const Graph graph = make_net(made.net, made.rows);
  int ranks = 1 + static_cast<int>(below(random, 8));
  if (chance(random, 30))
    made.stages = random_stages(graph, static_cast<size_t>(2 + below(random, 2)), random);
  if (!made.stages.empty()) ranks = std::max(1, ranks / static_cast<int>(made.stages.size()));
  const MeshPtr mesh = random_mesh(ranks, random);
  made.mesh = to_string(*mesh);
  made.deterministic = chance(random, 25);
  made.real_kernels = chance(random, 25);
  made.threads = chance(random, 10) ? 2 : 1;
  const int share = any_of<int>({0, 20, 50, 100}, random);
  const bool other_meshes = chance(random, 50);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!chance(random, share)) continue;
    const bool other = other_meshes && chance(random, 30);
    // A list of ranks is that of one stage.
    MeshPtr own = other ? random_mesh(ranks, random) : mesh;
    if (other && !made.stages.empty()) own = make_mesh(own->axes);
    const RuleLayouts layouts = random_sharding(rule_of_node(graph, n), own, random);
    made.shardings.emplace(n, sharding_text(layouts.operands, other));
  }
  const int given = any_of<int>({0, 30, 100}, random);
  for (const auto* ids : {&graph.inputs, &graph.parameters}) {
    for (const ValueId id : *ids) {
      const ValueInfo& value = graph.values[static_cast<size_t>(id)];
      if (!chance(random, given)) continue;
      const MeshPtr own = other_meshes && chance(random, 30) ? random_mesh(ranks, random) : mesh;
      made.layouts.emplace(value.name, to_string(random_layout(value.shape.size(), own, random)));
    }
  }
  return made;
}

}  // namespace tessera::testing
