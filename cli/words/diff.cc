#include <fmt/format.h>

#include <optional>

#include "cli/output.h"
#include "cli/program.h"
#include "cli/reshard_options.h"
#include "cli/word.h"
#include "tessera/base/text.h"
#include "tessera/reshard/compare_sources.h"

namespace tessera::cli {
namespace {

struct Request {
  std::string a, b;
  std::string from_a, from_b;
  std::string relative = "0", absolute = "0";
  ShardOptions reading;
  StreamOptions stream;
  CommonOptions common;
};

double tolerance_of(const std::string& text, std::string_view option) {
  const std::optional<double> value = parse_double(text);
  require_usage(value && *value >= 0 && *value < 1e300,
                "{} is '{}'; a number that is not negative is wanted", option, printable(text));
  return *value;
}

/// "only in A", "dtype", "shape", "values": what people look for first.
std::string_view kind_of(const Difference& found) {
  if (found.b.empty()) return "only in A";
  if (found.a.empty()) return "only in B";
  if (!found.has_values) {
    if (found.a == found.b) return "content";
    const bool has_equal_dtypes =
        found.a.substr(0, found.a.find('[')) == found.b.substr(0, found.b.find('['));
    return has_equal_dtypes ? "shape" : "dtype and shape";
  }
  return found.a == found.b ? "values" : "dtype";
}

void append_json(Json& out, const Difference& found) {
  out.open('{').field("name", found.name).field("kind", kind_of(found));
  out.field("a", found.a).field("b", found.b);
  if (found.has_values) {
    out.field("elements", found.elements).field("differing", found.values.differing);
    out.field("beyond", found.values.beyond);
    out.field("largest_absolute", found.values.largest_absolute);
    out.field("largest_relative", found.values.largest_relative);
    if (found.values.first_beyond >= 0) {
      out.key("first").open('[');
      for (const int64_t index : found.first) out.value(index);
      out.close();
    }
  }
  out.close();
}

void print_json(const Comparison& result) {
  Json out;
  out.open('{').field("equal", result.is_equal());
  out.field("equal_tensors", result.equal).field("bytes_read", result.bytes_read);
  out.key("differences").open('[');
  for (const Difference& found : result.differences) append_json(out, found);
  out.close().key("close").open('[');
  for (const Difference& found : result.close) append_json(out, found);
  fmt::print("{}\n", out.close().close().text());
}

std::string values_text(const Difference& found) {
  if (!found.has_values) return "";
  if (found.values.differing == 0) return "equal values";
  std::string text = fmt::format("{} of {} elements differ, by up to {:.4g} ({:.4g} relative)",
                                 found.values.differing, found.elements,
                                 found.values.largest_absolute, found.values.largest_relative);
  if (found.values.beyond > 0)
    text += fmt::format(", {}first at {}",
                        found.values.beyond < found.values.differing
                            ? fmt::format("{} beyond the tolerance, ", found.values.beyond)
                            : std::string(),
                        to_string(found.first));
  return text;
}

void print_text(const Comparison& result) {
  if (!result.differences.empty() || !result.close.empty()) {
    Table table({"name", "difference", "A", "B", "values"});
    for (const auto* list : {&result.differences, &result.close})
      for (const Difference& found : *list)
        table.add({printable(found.name),
                   std::string(list == &result.close ? "within tolerance" : kind_of(found)),
                   found.a.empty() ? "-" : found.a, found.b.empty() ? "-" : found.b,
                   values_text(found)});
    fmt::print("{}\n", table.to_string());
  }
  const auto entries = [](size_t count) {
    return fmt::format("{} entr{}", count, count == 1 ? "y" : "ies");
  };
  fmt::print("{} equal", entries(result.equal));
  if (!result.close.empty()) fmt::print(", {} within the tolerance", entries(result.close.size()));
  if (!result.is_equal()) fmt::print(", {} different", entries(result.differences.size()));
  fmt::print("\n");
}

Source open(const Request& request, const std::string& path, const std::string& from, int threads) {
  ShardOptions shards = request.reading;
  shards.sources = {path};
  shards.from = from;
  // What renames the names of A to those of B does not fit those of B.
  if (&path == &request.b) shards.checkpoint.rename.clear();
  const ErrorContext context([&] { return "opening " + printable(path); });
  return shards.open(threads);
}

void diff_word(const Request& request) {
  CompareOptions options;
  options.tolerance = {tolerance_of(request.relative, "--rtol"),
                       tolerance_of(request.absolute, "--atol")};
  options.plan = request.stream.plan_options(request.common.thread_count());
  const Source a = open(request, request.a, request.from_a, options.plan.threads);
  const Source b = open(request, request.b, request.from_b, options.plan.threads);
  Comparison result;
  {
    std::optional<Progress> progress;
    options.progress = [&](uint64_t done, uint64_t total) {
      if (!progress)
        progress.emplace("comparing", static_cast<int64_t>(total), request.common.quiet, true);
      progress->update(static_cast<int64_t>(done));
    };
    result = compare_sources(a, b, options);
  }
  if (request.common.json) {
    print_json(result);
  } else if (!request.common.quiet) {
    print_text(result);
  }
  if (!result.is_equal()) throw ExitStatus{kExitDifferent};
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(diff) {
  using namespace tessera::cli;
  return {
      .doc =
          "compare two checkpoints, however each is cut: exit status 0 when they are equal, 1 "
          "when not (what differs goes to stdout; an error goes to stderr)",
      .examples = {"tessera diff before.ckpt after.ckpt",
                   "tessera diff ckpt model.safetensors --from-a train_strategy.ckpt",
                   "tessera diff f32.ckpt bf16.ckpt --rtol 1e-2 --atol 1e-6 --json"},
      .declare =
          [](Arguments& arguments) {
            const auto request = std::make_shared<Request>();
            const std::string what = ": a file, a folder with rank_<i> folders, or a pattern";
            arguments.positional("a", request->a, "the first checkpoint" + what);
            arguments.positional("b", request->b, "the second; --rename is for the first only");
            arguments.option("--from-a", request->from_a, "the strategy that says how A is cut");
            arguments.option("--from-b", request->from_b, "the strategy that says how B is cut");
            arguments.option("--rtol", request->relative,
                             "elements are close when |a-b| <= atol + rtol * |b|; 0: equal bits");
            arguments.option("--atol", request->absolute, "see --rtol");
            request->reading.declare_reading(arguments);
            request->stream.declare(arguments);
            request->common.declare(arguments);
            return [request] { diff_word(*request); };
          },
  };
}
