#include "tessera/reshard/reshard.h"

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/parallel.h"
#include "tessera/base/text.h"
#include "tessera/reshard/destination_folder.h"
#include "tessera/reshard/internal/check_result.h"
#include "tessera/reshard/internal/stream.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using internal::OutputFiles;
using internal::SourceDigests;
using internal::Stream;
using internal::StreamCounts;

/// One run of reshard.
class Resharding {
 public:
  Resharding(const Source& source, const Destination& destination, const ReshardPlan& plan,
             const ReshardOptions& options)
      : source_(source),
        destination_(destination),
        plan_(plan),
        options_(options),
        output_(options.output != nullptr ? *options.output : find_output("ckpt")),
        files_(options.files != nullptr ? *options.files : local_file_system()) {
    refuse_maps();
  }

  ReshardReport run(const fs::path& folder) {
    const bool is_file = folder.extension() == ".ckpt" || folder.extension() == ".safetensors";
    refuse_own_source(folder);
    OutputRequest request{source_.catalog(), destination_, options_.prefix};
    for (size_t r = 0; r < source_.is_unnamed.size(); ++r)
      if (source_.is_unnamed[r]) request.unnamed.insert(static_cast<uint32_t>(r));
    OutputSet set = output_.lay_out(request);
    if (!plan_.options.ranks.empty()) keep_ranks(set);
    if (is_file) return into_file(folder, std::move(set));
    return into_folder(folder, std::move(set));
  }

 private:
  void refuse_maps() const {
    for (const Record& record : source_.catalog().records)
      require(record.kind != RecordKind::kMap,
              "'{}' is a map tensor, which is not written; leave it out with --except '{}'",
              printable(record.name), printable(record.name));
  }

  void refuse_own_source(const fs::path& folder) const {
    std::error_code ignored;
    const fs::path target = fs::weakly_canonical(folder, ignored);
    for (const CatalogFile& file : source_.catalog().files) {
      const fs::path path = fs::weakly_canonical(file.path, ignored);
      const auto [end, rest] =
          std::mismatch(target.begin(), target.end(), path.begin(), path.end());
      require(end != target.end(),
              "{} holds the source's file {}; the result needs a folder of its own",
              printable(folder.string()), printable(file.path.string()));
    }
  }

  void keep_ranks(OutputSet& set) const {
    require(set.texts.empty() && !output_.is_whole(),
            "a single rank cannot be made as '{}', whose files belong together", output_.name());
    std::erase_if(set.files, [&](const OutputFile& file) {
      return !std::binary_search(plan_.options.ranks.begin(), plan_.options.ranks.end(), file.rank);
    });
  }

  ReshardReport into_file(const fs::path& path, OutputSet set) {
    require(set.texts.empty() && !output_.is_whole(),
            "{} names one file, but '{}' is a folder of files; name a folder",
            printable(path.string()), output_.name());
    require(set.files.size() == 1,
            "{} names one file but the result has {}; name a folder, or ask for --whole",
            printable(path.string()), set.files.size());
    require(path.extension() == output_.suffix(), "{} is to be written as '{}', whose suffix is {}",
            printable(path.string()), output_.name(), output_.suffix());
    require(options_.force || !files_.exists(path), "{} is there already; --force replaces it",
            printable(path.string()));
    set.files[0].path = path.filename();
    return write(path.parent_path(), std::move(set), nullptr);
  }

  ReshardReport into_folder(const fs::path& folder, OutputSet set) {
    std::vector<fs::path> paths;
    fs::path root = folder;
    // A rank by itself has a folder of its own, so that several processes can make one each.
    if (!plan_.options.ranks.empty() && set.files.size() == 1) {
      root /= set.files[0].path.parent_path();
      set.files[0].path = set.files[0].path.filename();
    }
    for (const OutputFile& file : set.files) paths.push_back(file.path);
    for (const OutputText& text : set.texts) paths.push_back(text.path);
    DestinationFolder destination(files_, root, std::move(paths), {options_.force, options_.sync});
    return write(root, std::move(set), &destination);
  }

  ReshardReport write(const fs::path& root, OutputSet set, DestinationFolder* folder) {
    ReshardReport report;
    OutputFiles outputs(source_, destination_, std::move(set),
                        {output_, root, files_, options_.sync});
    SourceDigests digests;
    Stream stream(source_, destination_, plan_, &outputs);
    if (options_.verify) {
      digests.records.resize(source_.catalog().records.size());
      digests.slices.resize(source_.catalog().records.size());
      stream.want_digests(digests);
    }
    if (options_.progress)
      stream.on_progress(
          [&](const StreamCounts& counts) { options_.progress(counts.bytes_written); });
    const StreamCounts counts = stream.run();
    if (options_.verify) check_expected(digests);
    if (options_.verify) internal::check_result(source_, destination_, outputs, digests, plan_);
    if (folder != nullptr) folder->begin_commit();
    outputs.commit(thread_count(plan_.options.threads));
    if (folder != nullptr) folder->commit(manifest(outputs, options_.verify ? &digests : nullptr));
    for (const OutputFile& file : outputs.set().files) report.files.push_back(root / file.path);
    for (const OutputText& text : outputs.set().texts) report.files.push_back(root / text.path);
    report.bytes_read = counts.bytes_read + counts.bytes_compared;
    report.bytes_compared = counts.bytes_compared;
    report.bytes_written = counts.bytes_written;
    report.file_bytes = outputs.file_bytes();
    report.is_verified = options_.verify;
    report.notes = source_.notes;
    report.notes.insert(report.notes.end(), destination_.notes.begin(), destination_.notes.end());
    note_unnamed(report);
    return report;
  }

  /// The source against what was recorded when it was made.
  void check_expected(const SourceDigests& digests) const {
    if (!plan_.options.ranks.empty()) return;  // parts of tensors only
    for (size_t r = 0; r < digests.records.size(); ++r) {
      const std::string& name = source_.catalog().records[r].name;
      const auto expected = options_.expected.find(name);
      if (expected == options_.expected.end() || plan_.route_of[r] == ReshardPlan::kNoRoute)
        continue;
      const std::string found = to_string(digests.records[r]);
      require_valid(found == expected->second,
                    "'{}' of the source has the digest {}, but {} when its folder was made: a file "
                    "of it was changed or exchanged since",
                    printable(name), found, expected->second);
    }
  }

  void note_unnamed(ReshardReport& report) const {
    std::vector<std::string> names;
    for (size_t r = 0; r < source_.is_unnamed.size(); ++r)
      if (source_.is_unnamed[r] && plan_.route_of[r] != ReshardPlan::kNoRoute)
        names.push_back(printable(source_.catalog().records[r].name));
    if (names.empty()) return;
    report.notes.push_back(fmt::format("the source's strategy does not name {}: {}",
                                       join_first(names, 8),
                                       plan_.options.replicas == ReplicaCheck::kNone
                                           ? "taken from the first file, not compared"
                                           : "equal in every file, so taken as replicated"));
  }

  std::string manifest(const OutputFiles& outputs, const SourceDigests* digests) const {
    std::string text = fmt::format("{{\n\"tessera\": 1,\n\"format\": \"{}\",\n\"ranks\": {},\n",
                                   output_.name(), destination_.ranks.size());
    // A result with an index of its own says there how it is cut.
    if (!options_.layouts.empty() && outputs.set().texts.empty())
      text += fmt::format("\"layouts\": \"{}\",\n", json_escape(options_.layouts));
    text += "\"files\": [";
    const char* comma = "";
    for (const OutputFile& file : outputs.set().files) {
      text += fmt::format("{}\n{{\"path\": \"{}\", \"rank\": {}}}", comma,
                          json_escape(file.path.string()), file.rank);
      comma = ",";
    }
    for (const OutputText& file : outputs.set().texts)
      text += fmt::format("{}\n{{\"path\": \"{}\"}}", comma, json_escape(file.path.string()));
    text += "\n],\n\"tensors\": [";
    comma = "";
    const auto& records = source_.catalog().records;
    for (size_t r = 0; r < records.size(); ++r) {
      if (plan_.route_of[r] == ReshardPlan::kNoRoute) continue;
      text += fmt::format("{}\n{{\"name\": \"{}\", \"dtype\": \"{}\", \"shape\": {}", comma,
                          json_escape(records[r].name), to_string(records[r].dtype),
                          to_string(records[r].shape));
      if (digests != nullptr)
        text += fmt::format(", \"digest\": \"{}\"", to_string(digests->records[r]));
      text += "}";
      comma = ",";
    }
    return text + "\n]\n}\n";
  }

  const Source& source_;
  const Destination& destination_;
  const ReshardPlan& plan_;
  const ReshardOptions& options_;
  const OutputFormat& output_;
  FileSystem& files_;
};

}  // namespace

ReshardReport reshard(const Source& source, const Destination& destination, const ReshardPlan& plan,
                      const std::filesystem::path& folder, const ReshardOptions& options) {
  return Resharding(source, destination, plan, options).run(folder);
}

}  // namespace tessera
