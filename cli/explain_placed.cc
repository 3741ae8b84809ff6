#include "cli/explain_placed.h"

#include <fmt/format.h>

#include "cli/output.h"
#include "tessera/base/parallel.h"
#include "tessera/base/text.h"
#include "tessera/io/file.h"
#include "tessera/model/rank_memory.h"
#include "tessera/model/spread.h"
#include "tessera/passes/drawing/drawing.h"

namespace tessera::cli {
namespace {

/// One kind of bytes of a rank, as JSON and the table call it.
struct Column {
  std::string_view name;
  int64_t (*of)(const RankMemory&);
};

constexpr Column kColumns[] = {
    {"parameters", [](const RankMemory& rank) { return rank.parameters; }},
    {"formatted", [](const RankMemory& rank) { return rank.program.formatted; }},
    {"kernels", [](const RankMemory& rank) { return rank.program.kernels; }},
    {"activations", [](const RankMemory& rank) { return rank.program.activations; }},
    {"collectives", [](const RankMemory& rank) { return rank.program.running; }},
    {"inputs", [](const RankMemory& rank) { return rank.program.inputs; }},
    {"outputs", [](const RankMemory& rank) { return rank.program.outputs; }},
    {"peak", [](const RankMemory& rank) { return rank.peak(); }},
};

constexpr std::string_view kMemoryTitle =
    "memory of a rank, beside what the process itself needs (formatted: what kernels want in\n"
    "formats of their own is held twice)\n";

bool is_alike(const RankMemory& a, const RankMemory& b) {
  for (const Column& column : kColumns)
    if (column.of(a) != column.of(b)) return false;
  return true;
}

/// A line per run of ranks that need alike.
std::string memory_table(std::span<const RankMemory> ranks) {
  std::vector<std::string> head{"ranks"};
  for (const Column& column : kColumns) head.emplace_back(column.name);
  Table table(head);
  for (size_t i = 0, end = 0; i < ranks.size(); i = end) {
    end = i + 1;
    while (end < ranks.size() && is_alike(ranks[i], ranks[end])) ++end;
    std::vector<std::string> cells{end - i == 1 ? fmt::format("{}", i)
                                                : fmt::format("{}-{}", i, end - 1)};
    for (const Column& column : kColumns)
      cells.push_back(human_bytes(static_cast<uint64_t>(column.of(ranks[i]))));
    table.add(std::move(cells));
  }
  return table.to_string();
}

void append_placed(Json& out, const Placed& placed) {
  out.field("mesh", to_string(*placed.mesh)).key("parameters").open('[');
  const auto& values = placed.graph.values;
  for (const ValueId id : placed.graph.parameters) {
    const ValueInfo& value = values[static_cast<size_t>(id)];
    out.open('{').field("name", value.name).key("shape").raw(to_string(value.shape));
    out.field("layout", to_string(placed.layout(id))).close();
  }
  out.close().key("movements").open('[');
  for (const Movement& movement : movements(placed)) {
    out.open('{').field("kind", to_string(movement.kind));
    out.field("value", values[static_cast<size_t>(movement.value)].name);
    out.field("axis", movement.axis).field("layout", to_string(movement.after));
    out.field("before_node", static_cast<int64_t>(movement.before));
    out.field("ranks", int64_t{movement.ranks}).field("every_run", movement.running);
    out.field("bytes", movement.bytes).field("largest_bytes", movement.largest).close();
  }
  out.close();
}

std::string json_of(const PlacedRequest& request, const Placed& placed,
                    std::span<const RankMemory> ranks) {
  Json out;
  out.open('{').field("model", to_string(request.spec)).field("rows", request.rows);
  append_placed(out, placed);
  out.key("memory").open('[');
  for (const RankMemory& rank : ranks) {
    out.open('{').field("rank", static_cast<int64_t>(rank.rank));
    for (const Column& column : kColumns) out.field(column.name, column.of(rank));
    out.close();
  }
  return out.close().field("graph", to_string(placed)).close().text();
}

void write(const std::string& path, const std::string& text) {
  if (!path.empty()) write_text(local_file_system(), path, text, {});
}

}  // namespace

void explain_placed(const PlacedRequest& request) {
  const int count = request.ranks->rank_count();
  RunOptions run = request.run;
  run.threads = std::max(1, thread_count(run.threads) / count);
  run.place = request.ranks->place(request.spec, request.row_shape, count);
  run.search = request.ranks->search(request.rows);
  const Spread spread(request.spec, request.row_shape, run, count);
  const Placed& placed = spread.placed(request.rows);
  if (!request.dot.empty() || !request.svg.empty()) {
    const Drawing drawing = draw(placed);
    write(request.dot, to_dot(drawing));
    write(request.svg, to_svg(drawing));
  }
  const std::vector<RankMemory> ranks = predict_memory(spread.placed(request.rows), run);
  if (request.json) return fmt::print("{}\n", json_of(request, placed, ranks));
  fmt::print("{} for batches of {} rows of {} on {} ranks of {} thread{}\n{}\n{}{}",
             to_string(request.spec), request.rows, to_string(request.row_shape), count,
             run.threads, run.threads == 1 ? "" : "s", explain(placed), kMemoryTitle,
             memory_table(ranks));
}

}  // namespace tessera::cli
