#include "cli/rows.h"

#include "cli/word.h"
#include "tessera/base/text.h"
#include "tessera/data/class_names.h"

namespace tessera::cli {

void RowOptions::declare(Arguments& arguments, bool data_required) {
  arguments.group("Rows");
  arguments.option(
      "--data", data,
      "rows, as SOURCE:PLACE: mnist:DIR[/train|/test], cifar10:DIR, cifar100:DIR, "
      "folder:DIR, digits:test; 'digits:test[100:200]' are the rows 100 to 199, [:100] "
      "the first, [100:] the others",
      data_required);
  arguments.option("--batch", batch, "rows that run together");
  arguments.option("--limit", limit, "use only the first rows; 0: all");
  arguments.option(
      "--transforms", transforms,
      "as \"resize(32,32) rescale(1/255) to_chw\"; default: the model's for the data set");
  arguments.option("--labels", labels,
                   "file that names the classes: one a line, or JSON {name: number}");
  arguments.flag("--skip-bad", skip_bad,
                 "leave out rows that cannot be read, and say which; else the first one stops");
  arguments.option("--max-pixels", max_pixels,
                   fmt::format("of a picture; default: {}", kMaxPixels));
}

namespace {

/// The data sets whose defaults hold where a model has none for `kind`.
std::string_view stand_in(std::string_view kind) {
  if (kind == "folder") return "image";
  if (kind == "cifar100") return "cifar10";
  return "";
}

std::string default_transforms(const ModelSpec& spec, std::string_view kind) {
  for (const std::string_view name : {kind, stand_in(kind)})
    for (const DefaultTransforms& entry : spec.model->transforms)
      if (entry.source == name) return std::string(entry.transforms);
  std::string known;
  for (const DefaultTransforms& entry : spec.model->transforms) {
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.source);
  }
  fail(ErrorCode::kInvalidArgument,
       "model {} has no default transforms for '{}' (it has for: {}); give --transforms",
       spec.model->name, printable(kind), known);
}

}  // namespace

Pipeline RowOptions::open(const ModelSpec& spec, std::shared_ptr<const RowSource> source,
                          std::string_view kind, int threads) const {
  Pipeline rows(std::move(source), skip_bad ? BadRows::kLeaveOut : BadRows::kThrow);
  if (threads > 0) rows = rows.threads(threads);
  const std::string text = transforms == "default" ? default_transforms(spec, kind) : transforms;
  rows = rows.map(read_usage([&] { return parse_transforms(text); }));
  if (limit > 0) rows = rows.limit(limit);
  rows = rows.batch(batch, drop_remainder);
  const RowType type = rows.row_type();
  require(type.dtype == DType::kF32,
          "the transforms '{}' leave rows of {}; a model reads f32: add for example rescale(1/255)",
          to_string(rows.transforms()), to_string(type));
  return rows;
}

void RowOptions::check() const {
  require_usage(batch > 0, "--batch is {}; wanted at least 1", batch);
  require_usage(limit >= 0, "--limit is {}; wanted at least 0", limit);
  rows_options();
}

RowsOptions RowOptions::rows_options() const {
  RowsOptions options{.labels = labels};
  if (max_pixels.empty()) return options;
  const auto pixels = parse_int(max_pixels);
  require_usage(pixels && *pixels > 0, "--max-pixels is '{}'; wanted a number above 0",
                printable(max_pixels));
  options.max_pixels = *pixels;
  return options;
}

std::vector<std::string> RowOptions::class_names(const RowSource& source) const {
  const auto names = source.class_names();
  if (labels.empty()) return {names.begin(), names.end()};
  std::vector<std::string> read;
  for (ClassName& entry : read_class_names(labels)) read.push_back(std::move(entry.name));
  return read;
}

Pipeline RowOptions::open(const ModelSpec& spec, int threads) const {
  return open(spec, open_rows(data, rows_options()), source_name(data), threads);
}

}  // namespace tessera::cli
