#include <fmt/format.h>

#include <map>

#include "cli/checkpoint_options.h"
#include "cli/common_options.h"
#include "cli/output.h"
#include "cli/strategy_text.h"
#include "cli/word.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/strategy.h"

namespace tessera::cli {
namespace {

namespace fs = std::filesystem;

struct Request {
  std::string path;
  CheckpointOptions checkpoint;
  CommonOptions common;

  LoadOptions load_options() const { return checkpoint.load_options(common.thread_count()); }
};

/// The records with their parts: what a table shows, a line each.
void flatten(const Record& record, std::vector<Record>& out) {
  if (record.parts.empty()) {
    out.push_back(record);
    return;
  }
  for (const Record& part : record.parts) {
    out.push_back(part);
    out.back().name = fmt::format("{} ({})", record.name, part.name);
    out.back().kind = RecordKind::kMap;
  }
}

std::vector<Record> lines_of(const Catalog& catalog) {
  std::vector<Record> lines;
  for (const Record& record : catalog.records) flatten(record, lines);
  return lines;
}

std::string_view kind_name(RecordKind kind) {
  return kind == RecordKind::kTensor ? "tensor" : kind == RecordKind::kString ? "string" : "map";
}

uint64_t offset_of(const Record& record) {
  return record.pieces.empty() ? 0 : record.pieces.front().bytes.offset;
}

std::string integrity(const CatalogFile& file) {
  std::string text;
  switch (file.crc) {
    case CrcState::kNone:
      text = "no checksum: damage inside the tensors cannot be seen";
      break;
    case CrcState::kPresent:
      text = "CRC-32 present, not checked (tessera verify checks it)";
      break;
    case CrcState::kVerified:
      text = "CRC-32 checked";
      break;
  }
  if (file.cipher.empty()) return text;
  if (file.crc == CrcState::kNone) text.clear();
  if (is_authenticated(file)) text = "authenticated";
  const std::string cipher =
      fmt::format("encrypted with {}{}", file.cipher,
                  file.generation == 1 ? " (container of MindSpore up to 1.6)" : "");
  return text.empty() ? cipher : cipher + "; " + text;
}

std::string shape_text(const Record& record) {
  return record.kind == RecordKind::kString ? "-" : to_string(record.shape);
}

std::string dtype_text(const Record& record) {
  return record.kind == RecordKind::kString ? "string" : std::string(to_string(record.dtype));
}

/// The file of a record, of the first piece where there are several.
std::string place_of(const Catalog& catalog, const Record& record) {
  if (record.pieces.empty()) return "-";
  const CatalogFile& file = catalog.files[static_cast<size_t>(record.pieces.front().file)];
  const std::string name = printable(file.path.filename().string());
  const size_t more = record.pieces.size() - 1;
  return more == 0 ? name : fmt::format("{} and {} more pieces", name, more);
}

void print_table(const Checkpoint& checkpoint) {
  const Catalog& catalog = checkpoint.catalog;
  const bool several = catalog.files.size() > 1;
  for (const CatalogFile& file : catalog.files)
    fmt::print("{}: {}, {}; {}\n", printable(file.path.string()), file.format,
               human_bytes(file.bytes), integrity(file));
  std::vector<std::string> head{"name", "dtype", "shape", "bytes", "offset"};
  if (several) head.emplace_back("file");
  Table table(head);
  std::map<std::string, std::pair<int64_t, uint64_t>> mix;
  uint64_t bytes = 0;
  int64_t elements = 0;
  for (const Record& record : lines_of(catalog)) {
    std::vector<std::string> row{printable(record.name), dtype_text(record), shape_text(record),
                                 std::to_string(byte_count(record)),
                                 std::to_string(offset_of(record))};
    if (several) row.push_back(place_of(catalog, record));
    table.add(std::move(row));
    auto& [count, size] = mix[dtype_text(record)];
    ++count;
    size += byte_count(record);
    bytes += byte_count(record);
    if (record.kind == RecordKind::kTensor) elements += element_count(record.shape);
  }
  fmt::print("{}\n{} entries, {} elements, {} bytes ({})", table.to_string(),
             catalog.records.size(), elements, bytes, human_bytes(bytes));
  for (const auto& [name, sum] : mix)
    fmt::print(
        "; {} {}: {:.1f} %", sum.first, name,
        bytes == 0 ? 0 : 100.0 * static_cast<double>(sum.second) / static_cast<double>(bytes));
  fmt::print("\n");
  for (const auto& [key, value] : catalog.metadata)
    fmt::print("metadata {} = {}\n", printable(key), printable(value));
  for (const std::string& deviation : catalog.deviations) fmt::print("accepted: {}\n", deviation);
}

void append_json(Json& out, const Checkpoint& checkpoint, const LoadOptions& options) {
  const Catalog& catalog = checkpoint.catalog;
  uint64_t bytes = 0;
  out.open('{').key("files").open('[');
  for (const CatalogFile& file : catalog.files) {
    out.open('{').field("path", file.path.string()).field("format", file.format);
    out.field("bytes", file.bytes).field("crc", to_string(file.crc));
    out.key("cipher");
    file.cipher.empty() ? out.null() : out.value(file.cipher);
    out.close();
  }
  out.close().key("tensors").open('[');
  for (const Record& record : lines_of(catalog)) {
    bytes += byte_count(record);
    out.open('{').field("name", record.name).field("kind", kind_name(record.kind));
    out.field("dtype", to_string(record.dtype)).key("shape").raw(to_string(record.shape));
    out.field("bytes", byte_count(record)).field("offset", offset_of(record));
    out.field("pieces", static_cast<int64_t>(record.pieces.size()));
    if (record.kind == RecordKind::kString)
      out.field("value", read_string(checkpoint, record, options));
    out.close();
  }
  out.close().field("entries", static_cast<int64_t>(catalog.records.size()));
  out.field("bytes", bytes).key("metadata").open('{');
  for (const auto& [key, value] : catalog.metadata) out.field(key, value);
  out.close().key("deviations").open('[');
  for (const std::string& deviation : catalog.deviations) out.value(deviation);
  out.close().close();
}

void inspect_file(const Request& request, const fs::path& path) {
  const Checkpoint checkpoint = request.checkpoint.open(path.string());
  if (!request.common.json) return print_table(checkpoint);
  Json out;
  append_json(out, checkpoint, request.load_options());
  fmt::print("{}\n", out.text());
}

/// Whether the file begins as a strategy does.
bool is_strategy(const fs::path& path) {
  const std::unique_ptr<RandomAccessFile> file = local_file_system().open(path);
  std::string head(std::min<uint64_t>(file->size(), 1024), '\0');
  file->read(0, std::as_writable_bytes(std::span(head)));
  return looks_like_strategy(head);
}

std::string strategy_line(const Strategy& strategy, const fs::path& path) {
  return fmt::format(
      "{}: it says how parameters are cut and holds no weights; 'tessera layout {}' "
      "prints it",
      describe(strategy), printable(path.string()));
}

void inspect_strategy(const Request& request, const fs::path& path) {
  const Strategy strategy = read_strategy(path);
  if (!request.common.json)
    return fmt::print("{}: {}\n", printable(path.string()), strategy_line(strategy, path));
  Json out;
  out.open('{').field("path", path.string()).key("strategy").raw(strategy_json(strategy));
  fmt::print("{}\n", out.close().text());
}

/// Files below a folder whose names say that they are checkpoints, in order.
std::vector<fs::path> checkpoint_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    const std::string suffix = entry.path().extension().string();
    if (entry.is_regular_file() && (suffix == ".ckpt" || suffix == ".safetensors"))
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void inspect_folder(const Request& request) {
  const std::vector<fs::path> files = checkpoint_files(request.path);
  if (files.empty())
    fail(ErrorCode::kNotFound, "folder {} holds no .ckpt and no .safetensors file",
         printable(request.path));
  Table table({"file", "entries", "bytes", "what"});
  Json out;
  out.open('[');
  size_t refused = 0;
  for (const fs::path& path : files) {
    const std::string name = printable(fs::relative(path, request.path).string());
    try {
      if (is_strategy(path)) {
        table.add({name, "-", std::to_string(fs::file_size(path)),
                   strategy_line(read_strategy(path), path)});
        out.open('{').field("path", path.string()).field("format", "strategy").close();
        continue;
      }
      const Checkpoint checkpoint = request.checkpoint.open(path.string());
      const CatalogFile& file = checkpoint.catalog.files.front();
      table.add({name, std::to_string(checkpoint.catalog.records.size()),
                 std::to_string(file.bytes), file.format + "; " + integrity(file)});
      append_json(out, checkpoint, request.load_options());
    } catch (const Error& error) {
      const std::string text = error.what();
      ++refused;
      table.add({name, "-", std::to_string(fs::file_size(path)), text.substr(0, text.find('\n'))});
      out.open('{').field("path", path.string()).field("error", text).close();
    }
  }
  out.close();
  if (request.common.json) {
    fmt::print("{}\n", out.text());
  } else {
    fmt::print("{}", table.to_string());
  }
  if (refused > 0)
    fail(ErrorCode::kCorruptData, "{} of {} files in {} could not be read as checkpoints", refused,
         files.size(), printable(request.path));
}

void inspect(const Request& request) {
  const bool folder = fs::is_directory(request.path);
  if (!folder && is_strategy(request.path)) return inspect_strategy(request, request.path);
  if (!folder || !indexes_in(request.path).empty()) return inspect_file(request, request.path);
  inspect_folder(request);
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(inspect) {
  using namespace tessera::cli;
  return {
      .doc = "list what a checkpoint holds: names, dtypes, shapes, bytes, offsets, integrity",
      .examples = {"tessera inspect lenet.ckpt", "tessera inspect lenet.ckpt --json",
                   "tessera inspect rank_folders/",
                   "tessera inspect secret.ckpt --key-file key.bin"},
      .declare =
          [](Arguments& arguments) {
            const auto request = std::make_shared<Request>();
            arguments.positional("path", request->path, "checkpoint file, or a folder of them");
            request->checkpoint.declare(arguments);
            request->common.declare(arguments);
            return [request] { inspect(*request); };
          },
  };
}
