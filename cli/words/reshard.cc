#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/output.h"
#include "cli/reshard_options.h"
#include "cli/word.h"
#include "tessera/base/stopwatch.h"
#include "tessera/base/text.h"
#include "tessera/reshard/destination_folder.h"
#include "tessera/reshard/reshard.h"

namespace tessera::cli {
namespace {

struct Request {
  ReshardRequest what;
  std::string folder;
  std::string format;
  std::string prefix = "model";
  bool no_sync = false;
  bool dry_run = false;
  bool verify = false;
  bool force = false;
};

void print_json(const Request& request, const ReshardPlan& plan, const ReshardReport& report,
                double seconds) {
  Json out;
  out.open('{').field("path", request.folder).field("format", request.format);
  out.field("dry_run", request.dry_run).field("ranks", static_cast<int64_t>(plan.ranks.size()));
  out.field("bytes_read", report.bytes_read).field("bytes_compared", report.bytes_compared);
  out.field("bytes_needed", plan.bytes_needed).field("bytes_written", report.bytes_written);
  out.field("reads", plan.reads).field("peak_memory", plan.peak_memory);
  out.field("file_bytes", report.file_bytes).field("verified", report.is_verified);
  out.key("files").open('[');
  for (const auto& file : report.files) out.value(file.string());
  out.close().key("notes").open('[');
  for (const std::string& note : report.notes) out.value(note);
  fmt::print("{}\n", out.close().field("seconds", seconds).close().text());
}

void print_text(const Request& request, const ReshardPlan& plan, const ReshardReport& report,
                double seconds) {
  for (const std::string& note : report.notes) fmt::print("note: {}\n", note);
  if (request.dry_run) {
    fmt::print("would read {} and write {} to {}; nothing was written\n",
               human_bytes(plan.bytes_needed + plan.bytes_compared),
               human_bytes(plan.bytes_written), printable(request.folder));
    return;
  }
  fmt::print("{}: {} file{}, {} of tensors from {} read{}{} in {:.2f} s\n",
             printable(request.folder), report.files.size(), report.files.size() == 1 ? "" : "s",
             human_bytes(report.bytes_written), human_bytes(report.bytes_read),
             report.bytes_compared > 0
                 ? fmt::format(" ({} of it equal replicas)", human_bytes(report.bytes_compared))
                 : std::string(),
             report.is_verified ? ", verified by digest" : "", seconds);
}

void reshard_word(Request& request) {
  const Stopwatch watch;
  require_usage(!request.folder.empty(), "--output names no folder");
  for (const std::string& strategy : {request.what.shards.from, request.what.to}) {
    std::error_code ignored;
    require_usage(
        strategy.empty() || !std::filesystem::equivalent(strategy, request.folder, ignored),
        "--output is the strategy file {}", strategy);
  }
  if (request.format.empty())
    request.format = request.folder.ends_with(".safetensors") ? "safetensors" : "ckpt";
  const OutputFormat& output = *read_usage([&] { return &find_output(request.format); });
  require_usage(!output.is_whole() || request.what.is_whole,
                "the format '{}' holds whole tensors: it goes with --whole", request.format);
  require_usage(!output.is_whole() || request.prefix == "model",
                "--file-prefix does not count for '{}', whose file names are fixed",
                request.format);
  const PlanOptions plan_options = request.what.plan_options();
  const Source source = request.what.shards.open(plan_options.threads);
  ReshardOptions options;
  const Destination destination = request.what.destination(source, options.layouts);
  const ReshardPlan plan = plan_reshard(source, destination, plan_options);
  verify(plan, source, destination);

  ReshardReport report;
  if (request.dry_run) {
    report.bytes_compared = plan.bytes_compared;
    report.bytes_read = plan.bytes_needed + plan.bytes_compared;
    report.bytes_written = plan.bytes_written;
    report.notes = source.notes;
    report.notes.insert(report.notes.end(), destination.notes.begin(), destination.notes.end());
  } else {
    options.output = &output;
    options.prefix = request.prefix;
    options.sync = !request.no_sync;
    options.force = request.force;
    options.verify = request.verify;
    if (request.verify && request.what.shards.sources.size() == 1 &&
        request.what.shards.checkpoint.rename.empty())
      options.expected = digests_in(local_file_system(), request.what.shards.sources[0]);
    Progress progress("re-slicing", static_cast<int64_t>(plan.bytes_written),
                      request.what.common.quiet, true);
    options.progress = [&](uint64_t done) { progress.update(static_cast<int64_t>(done)); };
    report = reshard(source, destination, plan, request.folder, options);
  }
  const double seconds = watch.seconds();
  if (request.what.common.json) {
    print_json(request, plan, report, seconds);
  } else if (!request.what.common.quiet) {
    print_text(request, plan, report, seconds);
  }
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(reshard) {
  using namespace tessera::cli;
  return {
      .doc = "cut a distributed checkpoint for another number of ranks, or put it together",
      .examples =
          {"tessera reshard ckpt --from train_strategy.ckpt --to predict_strategy.ckpt -o out",
           "tessera reshard ckpt --from train_strategy.ckpt --whole -o model.ckpt",
           "tessera reshard 'net_*.ckpt' --from layouts.txt --to new.txt -o out --format "
           "safetensors --verify",
           "tessera reshard ckpt --from train.ckpt --to new.txt -o out --rank 3"},
      .declare =
          [](Arguments& arguments) {
            const auto request = std::make_shared<Request>();
            request->what.declare(arguments);
            arguments.option("-o,--output", request->folder,
                             "the folder to write; with --whole also a file", true);
            arguments.option("--format", request->format,
                             "ckpt, safetensors, unified, hf or mindformers; default: what the "
                             "suffix of --output says, else ckpt");
            arguments.option("--file-prefix", request->prefix,
                             "what file names begin with: rank_3/PREFIX3.ckpt");
            arguments.flag("--no-fsync", request->no_sync, "do not wait for the disk");
            arguments.flag("--dry-run", request->dry_run, "plan and prove, write nothing");
            arguments.flag("--verify", request->verify,
                           "read the result back and compare digests with the source");
            arguments.flag("--force", request->force, "replace an earlier result");
            return [request] { reshard_word(*request); };
          },
  };
}
