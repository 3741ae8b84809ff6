// How long it takes until every rank knows what to run: tracing, placing and lowering a stack of
// transformer blocks, nothing computed.
//
//   bench_place [LAYERS [DP [TP [search]]]]
//
// The first matmul of each pair is cut by columns, the second by rows. "search" looks for
// placements of auto_parallel before that. Prints one JSON object: seconds per part, the best of
// three; `lower` is one rank's graph, `lower_all` those of all ranks.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <limits>

#include "tessera/base/stopwatch.h"
#include "tessera/model/spread.h"
#include "tessera/passes/lower.h"
#include "tessera/passes/search.h"

namespace tessera {
namespace {

struct Seconds {
  double trace = 0, prepare = 0, place = 0, lower = 0, lower_all = 0;
};

std::optional<Layout> cut(const MeshPtr& mesh, const ValueInfo& value) {
  const auto cut_dim = [&](size_t dim) {
    Layout layout = replicated(mesh, value.shape.size());
    layout.dims[dim] = {*mesh->find("tp")};
    return layout;
  };
  for (const std::string_view name : {"query.weight", "key.weight", "value.weight", "fc1.weight"})
    if (value.name.ends_with(name)) return cut_dim(0);
  for (const std::string_view name : {"out.weight", "fc2.weight"})
    if (value.name.ends_with(name)) return cut_dim(1);
  return std::nullopt;
}

template <typename Work>
auto timed(double& seconds, const Work& work) {
  const Stopwatch watch;
  auto made = work();
  seconds += watch.seconds();
  return made;
}

Seconds measure(const ModelSpec& spec, const PlaceOptions& options, size_t& nodes) {
  Seconds taken;
  const Shape row = spec.model->row_shape(spec.options);
  const Graph traced = timed(taken.trace, [&] { return trace(spec, 32, row); });
  const Graph graph = timed(taken.prepare, [&] { return ready_to_place(traced, RunOptions{}); });
  const Placed placed = timed(taken.place, [&] { return place(graph, options); });
  nodes = timed(taken.lower, [&] { return lower(placed, 0); }).nodes.size();
  taken.lower_all = taken.lower;
  for (Rank rank = 1; rank < options.mesh->rank_count(); ++rank)
    (void)timed(taken.lower_all, [&] { return lower(placed, rank); });
  return taken;
}

/// Prints what the search found, too.
double seconds_of_search(const ModelSpec& spec, int ranks) {
  double seconds = 0;
  const Graph graph =
      ready_to_place(trace(spec, 32, spec.model->row_shape(spec.options)), RunOptions{});
  const std::vector<Found> all =
      timed(seconds, [&] { return search(graph, {.mesh = search_mesh(ranks)}); });
  for (const Found& found : all)
    std::cerr << fmt::format("{} bytes moved, {} bytes per rank, work {}\n", found.bytes,
                             found.memory, found.work);
  return seconds;
}

void run(int argc, char** argv) {
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::max(1, std::atoi(argv[i])) : otherwise;
  };
  const ModelSpec spec = parse_model(
      fmt::format("transformer(layers={},hidden=1024,heads=16,mlp=4096,seq=128)", number(1, 100)));
  PlaceOptions options;
  options.mesh = make_mesh({{"dp", number(2, 8)}, {"tp", number(3, 8)}});
  options.layout_of = [mesh = options.mesh](const ValueInfo& value) { return cut(mesh, value); };
  if (argc > 4) {
    std::cout << fmt::format("{{\"search_s\": {:.3f}}}\n",
                             seconds_of_search(spec, options.mesh->rank_count()));
    return;
  }
  Seconds best;
  double least = std::numeric_limits<double>::infinity();
  size_t nodes = 0;
  for (int round = 0; round < 3; ++round) {
    const Seconds taken = measure(spec, options, nodes);
    const double total = taken.trace + taken.prepare + taken.place + taken.lower_all;
    if (total < least) best = taken;
    least = std::min(least, total);
  }
  std::cout << fmt::format(
      "{{\"model\": \"{}\", \"ranks\": {}, \"local_nodes\": {}, \"trace_s\": {:.4f}, "
      "\"prepare_s\": "
      "{:.4f}, \"place_s\": {:.4f}, \"lower_s\": {:.4f}, \"lower_all_s\": {:.4f}, \"total_s\": "
      "{:.4f}}}\n",
      to_string(spec), options.mesh->rank_count(), nodes, best.trace, best.prepare, best.place,
      best.lower, best.lower_all, least);
}

}  // namespace
}  // namespace tessera

int main(int argc, char** argv) {
  try {
    tessera::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
