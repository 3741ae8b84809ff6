#include "tessera/checkpoint/convert.h"

#include <algorithm>
// g++ 12 with sanitizers warns of its own header.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <regex>
#pragma GCC diagnostic pop
#include <set>
#include <unordered_map>

#include "tessera/base/error.h"
#include "tessera/base/parallel.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/formats/internal/shard_files.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/checkpoint/writer.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

/// One direction: "ckpt" to "safetensors" or back.
class Conversion {
 public:
  Conversion(std::string from, std::string to, const ConvertOptions& options)
      : from_(std::move(from)), to_(std::move(to)), options_(options) {
    require(options.save_path.extension().empty(), "'{}' is to be a folder but has an extension",
            printable(options.save_path.string()));
    if (options.file_name_regex.empty()) return;
    try {
      regex_.emplace(options.file_name_regex);
    } catch (const std::regex_error& error) {
      fail(ErrorCode::kInvalidArgument, "'{}' is no regular expression: {}",
           printable(options.file_name_regex), error.what());
    }
  }

  std::vector<ConvertedFile> run(const fs::path& source) {
    const ErrorContext context([&] {
      return fmt::format("converting {} from {} to {}", printable(source.string()), from_, to_);
    });
    const bool is_folder = options_.open.file_system().is_folder(source);
    is_folder ? find_in_rank_folders(source) : add_file(source);
    const int threads = thread_count(options_.threads);
    check_name_map();
    if (options_.open.files == nullptr)
      for (const ConvertedFile& file : files_)
        if (file.destination.has_parent_path())
          fs::create_directories(file.destination.parent_path());
    parallel_for(files_.size(), threads, [&](size_t i) { convert(files_[i]); });
    return std::move(files_);
  }

 private:
  void add_file(const fs::path& source) {
    require(source.extension() == "." + from_, "'{}' is no .{} file", printable(source.string()),
            from_);
    require(!regex_ || std::regex_search(source.string(), *regex_),
            "'{}' does not match the regular expression '{}'", printable(source.string()),
            printable(options_.file_name_regex));
    add(source, options_.save_path.empty() ? source.parent_path() : options_.save_path);
  }

  void add(const fs::path& source, const fs::path& folder) {
    files_.push_back({source, folder / source.filename().replace_extension(to_), {}});
  }

  void find_in_rank_folders(const fs::path& root) {
    const FileSystem& system = options_.open.file_system();
    size_t folders = 0;
    for (const std::string& name : system.list(root)) {
      if (!name.starts_with("rank") || !system.is_folder(root / name)) continue;
      ++folders;
      const size_t before = files_.size();
      for (const std::string& file : system.list(root / name)) {
        if (!file.ends_with("." + from_)) continue;
        if (regex_ && !std::regex_search(file, *regex_)) continue;
        const fs::path to = options_.save_path.empty() ? root : options_.save_path;
        add(root / name / file, to / name);
      }
      if (files_.size() == before && !regex_)
        fail(ErrorCode::kNotFound, "'{}' holds no .{} file", printable((root / name).string()),
             from_);
    }
    if (folders == 0)
      fail(ErrorCode::kNotFound, "the folder holds no folder whose name begins with 'rank'");
    require(!files_.empty(), "no .{} file matches the regular expression '{}'", from_,
            printable(options_.file_name_regex));
  }

  Checkpoint open(const fs::path& path) const {
    OpenOptions options = options_.open;
    if (options.crc == CrcCheck::kNo) options.crc = CrcCheck::kIfPresent;
    return open_checkpoint(path, options);
  }

  /// Every name of the map is in some file; looked at before anything is written.
  void check_name_map() const {
    if (options_.name_map.empty()) return;
    std::set<std::string> missing;
    for (const auto& [from, to] : options_.name_map) missing.insert(from);
    std::set<std::string> known;
    for (const ConvertedFile& file : files_) {
      for (const std::string& name : open_catalog(file.source, options_.open).names()) {
        missing.erase(name);
        known.insert(name);
      }
    }
    if (missing.empty()) return;
    const std::vector<std::string> names(known.begin(), known.end());
    fail(ErrorCode::kInvalidArgument, "the name map has '{}', which no file has{}",
         printable(*missing.begin()), suggest(*missing.begin(), names));
  }

  std::string saved_name(const std::string& name) const {
    const auto found = options_.name_map.find(name);
    return found == options_.name_map.end() ? name : found->second;
  }

  void convert(ConvertedFile& file) const {
    const ErrorContext context([&] { return "converting " + printable(file.source.string()); });
    const Checkpoint checkpoint = open(file.source);
    const std::string& format = checkpoint.catalog.files.at(0).format;
    require_valid(checkpoint.catalog.files.size() == 1 && format.ends_with(from_),
                  "its content is {}, not {}", format, from_);
    WriteOptions options{.sync = options_.sync, .files = options_.open.files};
    for (const auto& [key, value] : checkpoint.catalog.metadata) {
      if (key == "format" || key == "crc_num") continue;
      if (to_ == "ckpt") {
        file.metadata_left_out.push_back(key);
      } else {
        options.metadata.emplace(key, value);
      }
    }
    CheckpointWriter writer(file.destination, options);
    for (const Record& record : checkpoint.catalog.records) {
      SaveEntry entry{.name = saved_name(record.name),
                      .kind = record.kind,
                      .dtype = record.dtype,
                      .shape = record.shape,
                      .produce = nullptr,
                      .text = {}};
      if (record.kind == RecordKind::kString) entry.text = read_string(checkpoint, record);
      entry.produce = [&checkpoint, &record] {
        return load_record(checkpoint, record, {.threads = 1});
      };
      writer.add(std::move(entry));
    }
    writer.finish();
  }

  std::string from_;
  std::string to_;
  const ConvertOptions& options_;
  std::optional<std::regex> regex_;
  std::vector<ConvertedFile> files_;
};

bool holds_equal(const Checkpoint& a, const Record& in_a, const Checkpoint& b, const Record& in_b) {
  if (in_a.kind != in_b.kind || in_a.dtype != in_b.dtype || in_a.shape != in_b.shape ||
      in_a.parts.size() != in_b.parts.size())
    return false;
  for (size_t i = 0; i < in_a.parts.size(); ++i)
    if (!holds_equal(a, in_a.parts[i], b, in_b.parts[i])) return false;
  if (in_a.kind == RecordKind::kMap) return true;
  const Tensor first = load_record(a, in_a);
  const Tensor second = load_record(b, in_b);
  return std::ranges::equal(first.bytes(), second.bytes());
}

}  // namespace

std::vector<ConvertedFile> ckpt_to_safetensors(const fs::path& source,
                                               const ConvertOptions& options) {
  return Conversion("ckpt", "safetensors", options).run(source);
}

std::vector<ConvertedFile> safetensors_to_ckpt(const fs::path& source,
                                               const ConvertOptions& options) {
  return Conversion("safetensors", "ckpt", options).run(source);
}

Checkpoint load_segmented_checkpoints(const fs::path& folder, const OpenOptions& options) {
  const ErrorContext context(
      [&] { return "loading the segments in " + printable(folder.string()); });
  const FileSystem& system = options.file_system();
  require(system.is_folder(folder), "it is no folder");
  std::vector<Checkpoint> segments;
  for (const std::string& name : system.list(folder))
    if (name.ends_with(".ckpt")) segments.push_back(open_checkpoint(folder / name, options));
  if (segments.empty()) fail(ErrorCode::kNotFound, "the folder holds no .ckpt file");

  struct Place {
    const Checkpoint* segment;
    const Record* record;
  };
  std::unordered_map<std::string_view, Place> first;
  internal::JoinedCheckpoint joined;
  for (const Checkpoint& segment : segments) {
    Checkpoint kept = segment;
    kept.catalog.records.clear();
    for (const Record& record : segment.catalog.records) {
      const auto [before, is_new] = first.try_emplace(record.name, Place{&segment, &record});
      if (is_new) {
        kept.catalog.records.push_back(record);
      } else if (!holds_equal(*before->second.segment, *before->second.record, segment, record)) {
        fail(ErrorCode::kCorruptData, "{} and {} hold different values of '{}', {} and {}",
             describe_files(*before->second.segment), describe_files(segment),
             printable(record.name), describe(*before->second.record), describe(record));
      }
    }
    joined.add(std::move(kept));
  }
  return joined.take();
}

}  // namespace tessera
