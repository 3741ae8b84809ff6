// How long the plan of a large re-slicing takes, and how much memory: all ranks, without headers.
//
//   bench_reshard_plan [TENSORS [SHAPES [FROM [TO]]]]        default: 10000 64 512 384
//
// Prints one line of JSON: seconds for placing, planning and proving, and peak memory.
#include <fmt/format.h>

#include <fstream>
#include <string>

#include "tessera/base/error.h"
#include "tessera/base/stopwatch.h"
#include "tessera/reshard/plan.h"

namespace {

using tessera::Box;
using tessera::Record;
using tessera::Shape;

double peak_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  return 0;
}

/// A matrix of one of `shapes` sizes; every second one is cut by columns, every third twice.
Shape shape_of(int tensor, int shapes) {
  const int64_t kind = tensor % shapes;
  return {1024 + 512 * (kind % 8), 768 * (1 + kind / 8)};
}

tessera::Layout layout_of(int tensor, int shapes, int ranks, const std::string& mesh) {
  const int kind = tensor % shapes % 3;
  const std::string dims = kind == 0 ? "[dp tp, -]" : kind == 1 ? "[-, tp]" : "[tp, dp]";
  return tessera::parse_layout(
      fmt::format("{{dp={},tp={}}} {}", ranks / std::stoi(mesh), mesh, dims));
}

/// What 10,000 opened headers would have become.
tessera::Source make_source(int tensors, int shapes, int ranks) {
  tessera::Source source;
  tessera::Catalog& catalog = source.checkpoint.catalog;
  for (int r = 0; r < ranks; ++r) {
    catalog.files.push_back({fmt::format("rank_{}/net.ckpt", r), "mindspore ckpt", 1});
    source.rank_of_file.push_back(r);
  }
  std::vector<uint64_t> ends(static_cast<size_t>(ranks), 0);
  std::vector<std::vector<std::shared_ptr<const Box>>> boxes(static_cast<size_t>(shapes));
  for (int t = 0; t < tensors; ++t) {
    auto& cut = boxes[static_cast<size_t>(t % shapes)];
    const Shape shape = shape_of(t, shapes);
    if (cut.empty()) {
      const tessera::Layout layout = layout_of(t, shapes, ranks, "64");
      for (int r = 0; r < ranks; ++r)
        cut.push_back(std::make_shared<const Box>(tessera::local_box(layout, shape, r)));
    }
    Record record{.name = fmt::format("model.layers.{}.weight", t), .shape = shape};
    for (int r = 0; r < ranks; ++r) {
      auto& end = ends[static_cast<size_t>(r)];
      const auto bytes =
          static_cast<uint64_t>(tessera::element_count(cut[static_cast<size_t>(r)]->size)) * 4;
      end += 64;  // an entry's header
      record.pieces.push_back(
          {r, tessera::Encoding::kRaw, {end, bytes}, cut[static_cast<size_t>(r)]});
      end += bytes;
    }
    catalog.records.push_back(std::move(record));
  }
  tessera::index_records(catalog);
  source.is_unnamed.assign(catalog.records.size(), false);
  source.lost.resize(catalog.records.size());
  source.rank_count = ranks;
  return source;
}

tessera::Strategy make_strategy(int tensors, int shapes, int ranks) {
  tessera::Strategy strategy;
  strategy.ranks_per_stage = ranks;
  for (int t = 0; t < tensors; ++t)
    strategy.parameters.push_back({.name = fmt::format("model.layers.{}.weight", t),
                                   .layout = layout_of(t, shapes, ranks, "48")});
  tessera::index_parameters(strategy);
  return strategy;
}

int number(int argc, char** argv, int at, int fallback) {
  return argc > at ? std::atoi(argv[at]) : fallback;
}

}  // namespace

int main(int argc, char** argv) {
  const int tensors = number(argc, argv, 1, 10000), shapes = number(argc, argv, 2, 64);
  const int from = number(argc, argv, 3, 512), to = number(argc, argv, 4, 384);
  try {
    const tessera::Source source = make_source(tensors, shapes, from);
    const tessera::Strategy strategy = make_strategy(tensors, shapes, to);
    const double before = peak_mib();
    const tessera::Stopwatch watch;
    const tessera::Destination destination = tessera::destination_of(source.catalog(), strategy);
    const double placed = watch.seconds();
    const tessera::ReshardPlan plan = tessera::plan_reshard(source, destination, {});
    const double planned = watch.seconds();
    tessera::verify(plan, source, destination);
    const double proved = watch.seconds();
    uint64_t transfers = 0;
    for (const tessera::RankPlan& rank : plan.ranks) transfers += rank.transfers;
    fmt::print(
        "{{\"tensors\": {}, \"from\": {}, \"to\": {}, \"routes\": {}, \"transfers\": {}, "
        "\"bytes\": {}, \"place_s\": {:.3f}, \"plan_s\": {:.3f}, \"verify_s\": {:.3f}, "
        "\"seconds\": {:.3f}, \"source_mib\": {:.0f}, \"peak_mib\": {:.0f}}}\n",
        tensors, from, to, plan.routes.size(), transfers, plan.bytes_needed, placed,
        planned - placed, proved - planned, proved, before, peak_mib());
  } catch (const tessera::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
