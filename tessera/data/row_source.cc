#include "tessera/data/row_source.h"

#include <string>
#include <vector>

#include "tessera/base/text.h"
#include "tessera/data/internal/row_range.h"

namespace tessera {

#define TESSERA_FILE(name) RowSourceDef source_##name();
#include "tessera/data_sources_files.inc"
#undef TESSERA_FILE

namespace {

std::vector<RowSourceDef> make_sources() {
  std::vector<RowSourceDef> sources;
#define TESSERA_FILE(file)            \
  sources.push_back(source_##file()); \
  sources.back().name = #file;
#include "tessera/data_sources_files.inc"
#undef TESSERA_FILE
  return sources;
}

}  // namespace

std::string to_string(const RowType& type) {
  return fmt::format("{}{}", to_string(type.dtype), to_string(type.shape));
}

std::string RowSource::row_name(int64_t index) const {
  return fmt::format("row {}", index);
}

std::span<const RowSourceDef> all_row_sources() {
  static const std::vector<RowSourceDef> sources = make_sources();
  return sources;
}

std::string_view source_name(std::string_view notation) {
  return trim(notation.substr(0, notation.find(':')));
}

std::shared_ptr<const RowSource> open_rows(std::string_view notation, const RowsOptions& options) {
  const std::string_view name = source_name(notation);
  const size_t colon = notation.find(':');
  std::vector<std::string> names;
  std::vector<std::string> notations;
  for (const RowSourceDef& source : all_row_sources()) {
    names.emplace_back(source.name);
    notations.emplace_back(source.notation);
    if (source.name != name) continue;
    require(colon != std::string_view::npos, "'{}' lacks a place after the name; write {}",
            printable(notation), source.notation);
    const ErrorContext context([&] { return fmt::format("opening data {}", printable(notation)); });
    const auto [all, range] = internal::split_range(notation);
    std::shared_ptr<const RowSource> rows = source.open(all.substr(colon + 1), options);
    return range ? internal::rows_in(std::move(rows), *range) : rows;
  }
  fail(ErrorCode::kInvalidArgument, "'{}' names no source of data{}; known: {}",
       printable(notation), suggest(name, names), join(notations, ", "));
}

}  // namespace tessera
