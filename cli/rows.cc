#include "cli/rows.h"

#include "cli/word.h"
#include "tessera/base/text.h"

namespace tessera::cli {

void RowOptions::declare(Arguments& arguments, bool data_required) {
  arguments.group("Rows");
  arguments.option("--data", data, "rows, as SOURCE:PLACE: mnist:DIR[/train|/test], digits:test",
                   data_required);
  arguments.option("--batch", batch, "rows that run together");
  arguments.option("--limit", limit, "use only the first rows; 0: all");
  arguments.option(
      "--transforms", transforms,
      "as \"resize(32,32) rescale(1/255) to_chw\"; default: the model's for the data set");
}

namespace {

std::string default_transforms(const ModelSpec& spec, std::string_view kind) {
  std::string known;
  for (const DefaultTransforms& entry : spec.model->transforms) {
    if (entry.source == kind) return std::string(entry.transforms);
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.source);
  }
  fail(ErrorCode::kInvalidArgument,
       "model {} has no default transforms for '{}' (it has for: {}); give --transforms",
       spec.model->name, printable(kind), known);
}

}  // namespace

Pipeline RowOptions::open(const ModelSpec& spec, std::shared_ptr<const RowSource> source,
                          std::string_view kind, int threads) const {
  Pipeline rows(std::move(source));
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
}

Pipeline RowOptions::open(const ModelSpec& spec, int threads) const {
  return open(spec, open_rows(data), source_name(data), threads);
}

}  // namespace tessera::cli
