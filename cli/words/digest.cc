#include <fmt/format.h>

#include <optional>

#include "cli/output.h"
#include "cli/reshard_options.h"
#include "cli/word.h"
#include "tessera/base/text.h"
#include "tessera/reshard/digest_source.h"

namespace tessera::cli {
namespace {

struct Request {
  ShardOptions shards;
  StreamOptions stream;
  CommonOptions common;
};

void print_json(const Source& source, const SourceDigest& found) {
  Json out;
  out.open('{').field("digest", to_string(found.total));
  out.field("ranks", static_cast<int64_t>(source.rank_count));
  out.field("bytes_read", found.bytes_read).field("bytes_compared", found.bytes_compared);
  out.key("tensors").open('[');
  for (const RecordDigest& record : found.records)
    out.open('{')
        .field("name", record.name)
        .field("what", record.what)
        .field("digest", to_string(record.digest))
        .close();
  out.close().key("notes").open('[');
  for (const std::string& note : source.notes) out.value(note);
  fmt::print("{}\n", out.close().close().text());
}

void print_text(const Source& source, const SourceDigest& found, bool quiet) {
  if (!quiet) {
    for (const std::string& note : source.notes) fmt::print("note: {}\n", note);
    Table table({"name", "what", "digest"});
    for (const RecordDigest& record : found.records)
      table.add({printable(record.name), record.what, to_string(record.digest)});
    fmt::print("{}\n", table.to_string());
  }
  fmt::print("{}\n", to_string(found.total));
}

void digest_word(const Request& request) {
  DigestOptions options;
  options.plan = request.stream.plan_options(request.common.thread_count());
  const Source source = request.shards.open(options.plan.threads);
  SourceDigest found;
  {
    std::optional<Progress> progress;
    options.progress = [&](uint64_t done, uint64_t total) {
      if (!progress)
        progress.emplace("digesting", static_cast<int64_t>(total), request.common.quiet, true);
      progress->update(static_cast<int64_t>(done));
    };
    found = digest_source(source, options);
  }
  request.common.json ? print_json(source, found) : print_text(source, found, request.common.quiet);
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(digest) {
  using namespace tessera::cli;
  return {
      .doc = "a digest per tensor and of all together, equal for every way to cut a checkpoint",
      .examples = {"tessera digest model.safetensors",
                   "tessera digest ckpt --from train_strategy.ckpt",
                   "tessera digest 'net_*.ckpt' --from layouts.txt --json"},
      .declare =
          [](Arguments& arguments) {
            const auto request = std::make_shared<Request>();
            request->shards.declare(arguments);
            request->stream.declare(arguments);
            request->common.declare(arguments);
            return [request] { digest_word(*request); };
          },
  };
}
