#include "tessera/checkpoint/checkpoint.h"

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/format.h"
#include "tessera/checkpoint/formats/internal/shard_files.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/checkpoint/unrecognized.h"

namespace tessera {

#define TESSERA_FILE(name) const CheckpointFormat& format_##name();
#include "tessera/checkpoint_formats_files.inc"
#undef TESSERA_FILE

std::span<const CheckpointFormat* const> all_formats() {
  static const CheckpointFormat* const kFormats[] = {
#define TESSERA_FILE(name) &format_##name(),
#include "tessera/checkpoint_formats_files.inc"
#undef TESSERA_FILE
  };
  return kFormats;
}

void CheckpointFormat::write(std::span<const SaveEntry> /*entries*/,
                             const WriteOptions& /*options*/, WritableFile& /*file*/) const {
  fail(ErrorCode::kUnsupported, "{} files are read but not written", name());
}

FileImage CheckpointFormat::image(std::span<const SaveEntry> /*entries*/,
                                  const WriteOptions& /*options*/) const {
  fail(ErrorCode::kUnsupported, "{} files are read but not written", name());
}

bool OpenOptions::allows(std::string_view kind, std::string_view name) const {
  return std::any_of(allow.begin(), allow.end(), [&](std::string_view entry) {
    if (!name.empty() && matches(entry, name)) return true;
    if (!entry.starts_with(kind)) return false;
    entry.remove_prefix(kind.size());
    return entry.empty() || (entry.starts_with(':') && matches(entry.substr(1), name));
  });
}

std::span<const std::string_view> deviation_kinds() {
  static constexpr std::string_view kKinds[] = {"missing_crc", "short_content", "long_content",
                                                "duplicate_names", "empty_name"};
  return kKinds;
}

void check_allow(std::span<const std::string> allow, std::span<const std::string> names) {
  const std::vector<std::string> kinds(deviation_kinds().begin(), deviation_kinds().end());
  for (const std::string& entry : allow) {
    const std::string kind = entry.substr(0, entry.find(':'));
    if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) continue;
    const auto fits = [&](const std::string& name) { return matches(entry, name); };
    if (std::any_of(names.begin(), names.end(), fits)) continue;
    require(kind == entry,
            "'--allow {}' matches no name, and '{}' is no kind of deviation{}; "
            "the kinds are {}",
            printable(entry), printable(kind), suggest(kind, kinds), join(kinds, ", "));
    std::vector<std::string> known = kinds;
    known.insert(known.end(), names.begin(), names.end());
    std::sort(known.begin(), known.end());
    known.erase(std::unique(known.begin(), known.end()), known.end());
    fail(ErrorCode::kInvalidArgument,
         "'--allow {}' is no kind of deviation ({}) and matches no name{}", printable(entry),
         join(kinds, ", "), suggest(entry, known));
  }
}

namespace {

const CheckpointFormat& format_of(const Probe& probe) {
  for (const CheckpointFormat* format : all_formats())
    if (format->recognizes(probe)) return *format;
  if (const std::optional<std::string> known = known_foreign_content(probe))
    fail(ErrorCode::kUnsupported, "{}", *known);
  // The name says what the content does not: the reader then says where it stops making sense.
  for (const CheckpointFormat* format : all_formats())
    if (probe.path.string().ends_with(format->suffix())) return *format;
  fail(ErrorCode::kUnsupported, "the content is of no checkpoint format that is known");
}

Probe probe_of(const RandomAccessFile& file, const std::filesystem::path& path) {
  Probe probe{path, file.size(), {}};
  probe.head.resize(std::min(probe.size, Probe::kHeadBytes));
  file.read(0, std::as_writable_bytes(std::span(probe.head)));
  return probe;
}

/// Whether a file of a folder lists the tensors of the others. The names alone are too common.
bool is_index(const std::filesystem::path& path, const FileSystem& files) {
  const std::string name = path.filename().string();
  if (name == "model.safetensors.index.json" || name == "param_name_map.json") return true;
  if (name != "metadata.json") return false;
  const Probe probe = probe_of(*files.open(path), path);
  const auto recognizes = [&](const CheckpointFormat* format) { return format->recognizes(probe); };
  return std::ranges::any_of(all_formats(), recognizes);
}

}  // namespace

std::vector<std::string> indexes_in(const std::filesystem::path& folder, const FileSystem& files) {
  std::vector<std::string> indexes;
  for (const std::string& name : files.list(folder))
    if (is_index(folder / name, files)) indexes.push_back(name);
  return indexes;
}

namespace {

/// The one checkpoint in a folder.
std::filesystem::path checkpoint_in(const std::filesystem::path& folder, const FileSystem& files) {
  std::vector<std::string> found = indexes_in(folder, files);
  if (found.empty())
    for (const std::string& name : files.list(folder))
      if (name.ends_with(".ckpt") || name.ends_with(".safetensors")) found.push_back(name);
  require(!found.empty(), "the folder holds no .ckpt or .safetensors file");
  if (found.size() > 1)
    fail(ErrorCode::kInvalidArgument,
         "the folder holds {} checkpoints, {} and {} among them; name one", found.size(),
         printable(found[0]), printable(found[1]));
  return folder / found[0];
}

}  // namespace

Checkpoint open_checkpoint(const std::filesystem::path& path, const OpenOptions& options) {
  const ErrorContext context([&] { return "opening " + printable(path.string()); });
  const FileSystem& files = options.file_system();
  if (files.is_folder(path)) return open_checkpoint(checkpoint_in(path, files), options);
  std::shared_ptr<const RandomAccessFile> file = files.open(path);
  const Probe probe = probe_of(*file, path);
  require_valid(probe.size > 0, "the file is empty");
  Checkpoint checkpoint = format_of(probe).open(std::move(file), probe, options);
  if (checkpoint.catalog.by_name.size() != checkpoint.catalog.records.size())
    index_records(checkpoint.catalog);
  return checkpoint;
}

Checkpoint open_checkpoint(std::span<const std::filesystem::path> paths,
                           const OpenOptions& options) {
  internal::JoinedCheckpoint joined;
  for (const std::filesystem::path& path : paths) joined.add(open_checkpoint(path, options));
  return joined.take();
}

Checkpoint join_checkpoints(std::vector<Checkpoint> parts) {
  internal::JoinedCheckpoint joined;
  for (Checkpoint& part : parts) joined.add(std::move(part));
  return joined.take();
}

std::string describe_files(const Checkpoint& checkpoint) {
  const std::vector<CatalogFile>& files = checkpoint.catalog.files;
  if (files.empty()) return "no file";
  const std::string first = printable(files[0].path.string());
  return files.size() == 1 ? first : fmt::format("{} and {} more", first, files.size() - 1);
}

Catalog open_catalog(const std::filesystem::path& path, const OpenOptions& options) {
  return open_checkpoint(path, options).catalog;
}

namespace {

void append_utf8(uint32_t code, std::string& text) {
  const auto put = [&](uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

}  // namespace

std::string read_string(const Checkpoint& checkpoint, const Record& record) {
  return read_string(checkpoint, record, {});
}

std::string read_string(const Checkpoint& checkpoint, const Record& record,
                        const LoadOptions& options) {
  require(record.kind == RecordKind::kString, "'{}' is {}, not a string", printable(record.name),
          describe(record));
  const ErrorContext context([&] { return "reading a string of " + describe_files(checkpoint); });
  const Tensor codes = load_record(checkpoint, record, options);
  std::span<const uint32_t> all = codes.data<uint32_t>();
  while (!all.empty() && all.back() == 0) all = all.first(all.size() - 1);  // numpy's padding
  std::string text;
  for (const uint32_t code : all) {
    require_valid(code < 0x110000 && (code < 0xD800 || code > 0xDFFF),
                  "the string '{}' holds {:#x}, which is no character", printable(record.name),
                  code);
    append_utf8(code, text);
  }
  return text;
}

}  // namespace tessera
