#include <fmt/format.h>

#include "cli/output.h"
#include "cli/reshard_options.h"
#include "cli/word.h"
#include "tessera/base/text.h"

namespace tessera::cli {
namespace {

struct Request {
  ReshardRequest what;
  bool transfers = false;
};

void print_json(const ReshardPlan& plan, const std::vector<std::string>& notes) {
  Json out;
  out.open('{').field("bytes_needed", plan.bytes_needed);
  out.field("bytes_compared", plan.bytes_compared).field("bytes_written", plan.bytes_written);
  out.field("reads", plan.reads).field("peak_memory", plan.peak_memory);
  out.field("kinds", static_cast<int64_t>(plan.routes.size()));
  out.key("ranks").open('[');
  for (const RankPlan& rank : plan.ranks) {
    out.open('{').field("rank", static_cast<int64_t>(rank.rank)).field("tensors", rank.tensors);
    out.field("bytes", rank.bytes).field("transfers", rank.transfers).field("reads", rank.reads);
    out.field("peak_memory", plan.peak_memory).close();
  }
  out.close().key("notes").open('[');
  for (const std::string& note : notes) out.value(note);
  fmt::print("{}\n", out.close().close().text());
}

void plan_word(const Request& request) {
  const PlanOptions options = request.what.plan_options();
  const Source source = request.what.shards.open(options.threads);
  std::string layouts;
  const Destination destination = request.what.destination(source, layouts);
  const ReshardPlan plan = plan_reshard(source, destination, options);
  verify(plan, source, destination);
  std::vector<std::string> notes = source.notes;
  notes.insert(notes.end(), destination.notes.begin(), destination.notes.end());
  if (request.what.common.json) return print_json(plan, notes);
  for (const std::string& note : notes) fmt::print("note: {}\n", note);
  fmt::print("{}", to_string(plan, source));
  if (request.transfers) fmt::print("\n{}", describe_transfers(plan, source, destination));
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(plan) {
  using namespace tessera::cli;
  return {
      .doc = "what re-slicing would read and write: per rank transfers, reads, bytes, memory",
      .examples = {"tessera plan ckpt --from train_strategy.ckpt --to predict_strategy.ckpt",
                   "tessera plan ckpt --from train.ckpt --whole --transfers"},
      .declare =
          [](Arguments& arguments) {
            const auto request = std::make_shared<Request>();
            request->what.declare(arguments);
            arguments.flag("--transfers", request->transfers, "list who takes what from whom");
            return [request] { plan_word(*request); };
          },
  };
}
