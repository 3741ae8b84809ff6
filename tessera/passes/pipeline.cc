#include <array>
#include <utility>

#include "tessera/passes/drop_dead.h"
#include "tessera/passes/fold_batch_norm.h"
#include "tessera/passes/fold_constants.h"
#include "tessera/passes/fuse.h"
#include "tessera/passes/pass.h"

namespace tessera {

// Batch norm is folded before fusing: it stands between a convolution and its activation. Constants
// come first, so that batch norms of constants are seen as what they are.
std::span<const Pass> inference_passes() {
  static constexpr std::array<Pass, 4> kPasses = {{
      {"fold_constants", "computes nodes whose operands are all constants", fold_constants},
      {"fold_batch_norm", "moves batch norm into the weights before it", fold_batch_norm},
      {"fuse", "joins bias, residual and activation with the products before them", fuse},
      {"drop_dead", "drops what no output needs", drop_dead},
  }};
  return kPasses;
}

namespace {

Graph run(Graph graph, std::span<const Pass> passes, bool verify_each) {
  for (const Pass& pass : passes) {
    const ErrorContext context([&] { return fmt::format("running pass '{}'", pass.name); });
    graph = pass.run(std::move(graph));
    if (verify_each) verify(graph);
  }
  return graph;
}

}  // namespace

// Every node's types are inferred when it is made, and once more at the end; after each pass it
// would be half of the time that a network takes from its trace to its program. Where the end is
// wrong, the passes run again to find the one that did it.
Graph run_passes(Graph graph, std::span<const Pass> passes) {
  try {
    Graph made = run(graph, passes, false);
    verify(made);
    return made;
  } catch (const Error&) {
    return run(std::move(graph), passes, true);
  }
}

}  // namespace tessera
