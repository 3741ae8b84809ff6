#include "tessera/reshard/destination_folder.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/io/json.h"
#include "tessera/reshard/rank_files.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestList = size_t{256} << 20;

std::string shown(const fs::path& path) {
  return printable(path.string());
}

std::string in_manifest(const fs::path& folder) {
  return "reading " + shown(folder / DestinationFolder::kManifest);
}

Json parse_list(std::string_view text) {
  return parse_json(text, {kLongestList, 8});
}

/// What the manifest in `folder` says; nothing where there is none.
std::optional<Json> read_manifest(const FileSystem& file_system, const fs::path& folder) {
  const fs::path path = folder / DestinationFolder::kManifest;
  if (!file_system.exists(path)) return {};
  const ErrorContext context([&] { return in_manifest(folder); });
  return parse_list(read_text(file_system, path, kLongestList));
}

/// The "files" of a marker or manifest: paths inside the folder, as far as they are such.
std::vector<std::string> listed_files(const Json& root) {
  std::vector<std::string> files;
  for (const Json& file : root.at("files").items()) {
    const std::string& name = file.is_object() ? file.at("path").as_string() : file.as_string();
    const fs::path path = name;
    const bool leaves =
        path.is_absolute() ||
        std::any_of(path.begin(), path.end(), [](const auto& part) { return part == ".."; });
    require_valid(!leaves && !name.empty(), "it lists '{}', which is not inside the folder",
                  printable(name));
    files.push_back(name);
  }
  return files;
}

/// Whether `name` is a temporary sibling of `file`: "model0.ckpt.4711-1.tmp".
bool is_temporary_of(std::string_view name, std::string_view file) {
  if (!name.starts_with(file) || !name.ends_with(".tmp")) return false;
  name.remove_prefix(file.size());
  name.remove_suffix(4);
  return name.size() > 1 && name[0] == '.' &&
         name.substr(1).find_first_not_of("0123456789-") == name.npos;
}

/// Gives the parameters the shapes of the manifest's tensors: so it is known what is lost where a
/// rank's file is.
void add_shapes(const Json& tensors, Strategy& strategy) {
  std::vector<ParameterLayout> all;
  std::set<std::pair<std::string, int>> shaped;
  for (const Json& tensor : tensors.items()) {
    const std::string& name = tensor.at("name").as_string();
    Shape shape;
    for (const Json& extent : tensor.at("shape").items()) {
      shape.push_back(extent.as_int());
      require_valid(shape.back() >= 0, "'{}' has the extent {}", printable(name), shape.back());
    }
    for (int stage = 0; stage < strategy.stage_count; ++stage) {
      const ParameterLayout* found = strategy.find(name, stage);
      if (found == nullptr || found->any_ndim || !shaped.insert({name, stage}).second) continue;
      ParameterLayout& one = all.emplace_back(*found);
      one.name = name;
      one.stage = stage;
      one.is_pattern = false;
      one.shape = shape;
    }
  }
  for (ParameterLayout& one : strategy.parameters)
    if (one.is_pattern || !shaped.contains({one.name, one.stage})) all.push_back(std::move(one));
  strategy.parameters = std::move(all);
  index_parameters(strategy);
}

}  // namespace

DestinationFolder::DestinationFolder(FileSystem& file_system, fs::path root,
                                     std::vector<fs::path> files, Options options)
    : file_system_(file_system),
      root_(std::move(root)),
      files_(std::move(files)),
      options_(options) {
  const ErrorContext context([&] { return "preparing the folder " + shown(root_); });
  require(!file_system_.exists(root_) || file_system_.is_folder(root_),
          "{} is a file; a folder is wanted", shown(root_));
  made_root_ = !file_system_.is_folder(root_);
  const fs::path marker = root_ / kMarker;
  const bool was_dead = file_system_.exists(marker);
  if (!made_root_ && !was_dead) check_contents(options_.force);
  file_system_.create_folders(root_);
  if (&file_system_ == &local_file_system()) {
    lock_ = FileLock::try_lock(marker);
    require(lock_.has_value(), "another process is writing to {} now; wait for it or stop it",
            shown(root_));
    if (was_dead) remove_dead_run(lock_->read(kLongestList));
    try {
      check_contents(options_.force);  // another process may have made a result since
    } catch (const Error&) {
      // What lies here with a manifest is whole: nothing is left of the dead run.
      if (!was_dead || file_system_.exists(root_ / kManifest)) file_system_.remove(marker);
      throw;
    }
  }
  try {
    begin();
  } catch (const Error&) {  // the disk is full, for example
    give_up();
    throw;
  }
}

void DestinationFolder::begin() {
  if (const auto manifest = read_manifest(file_system_, root_))
    old_files_ = listed_files(*manifest);
  // The old ones too: once the manifest is gone nothing else says that they were of a result.
  std::set<std::string> ours(old_files_.begin(), old_files_.end());
  for (const fs::path& file : files_) ours.insert(file.string());
  std::string list = fmt::format("{{\"process\":{},\"files\":[", ::getpid());
  const char* comma = "";
  for (const std::string& file : ours) {
    list += fmt::format("{}\"{}\"", comma, json_escape(file));
    comma = ",";
  }
  list += "]}\n";
  if (lock_) lock_->write(list);
  std::set<fs::path> folders;
  for (const fs::path& file : files_) folders.insert((root_ / file).parent_path());
  for (const fs::path& folder : folders) file_system_.create_folders(folder);
}

void DestinationFolder::check_contents(bool force) const {
  std::vector<std::string> names = file_system_.list(root_);
  std::erase(names, kMarker);
  if (names.empty()) return;
  require(force, "{} is not empty: it holds {}{}; --force replaces an earlier result", shown(root_),
          printable(names[0]),
          names.size() > 1 ? fmt::format(" and {} more", names.size() - 1) : std::string());
  // A checkpoint that stays beside the new ones would be taken for one of them.
  std::set<std::string> known{std::string(kManifest)};
  for (const fs::path& file : files_) known.insert(file.string());
  if (const auto manifest = read_manifest(file_system_, root_))
    for (std::string& file : listed_files(*manifest)) known.insert(std::move(file));
  const auto check = [&](const fs::path& path) {
    const std::string name = path.string();
    const bool is_checkpoint = name.ends_with(".ckpt") || name.ends_with(".safetensors");
    require(!is_checkpoint || known.contains(name),
            "{} holds {}, which is not of this result and would be taken for a part of it; move it "
            "away first",
            shown(root_), printable(name));
  };
  for (const std::string& name : names) {
    check(name);
    if (!file_system_.is_folder(root_ / name) || rank_in_path(name) < 0) continue;
    for (const std::string& inner : file_system_.list(root_ / name)) check(fs::path(name) / inner);
  }
}

void DestinationFolder::remove_dead_run(std::string_view list) {
  if (trim(list).empty()) return;  // it ended before it made anything
  const ErrorContext context([&] { return "reading what a killed run left in " + shown(root_); });
  // With a manifest there the run was to replace a result and had not begun to: that one is whole.
  remove_files(listed_files(parse_list(list)), file_system_.exists(root_ / kManifest));
  const std::vector<std::string> manifest{std::string(kManifest)};
  remove_files(manifest, true);
}

void DestinationFolder::remove_files(std::span<const std::string> files, bool only_temporary) {
  std::map<fs::path, std::vector<std::string>> listings;
  std::set<fs::path> folders;
  for (const std::string& file : std::set<std::string>(files.begin(), files.end())) {
    const fs::path path = root_ / file;
    const fs::path folder = path.parent_path();
    if (!file_system_.is_folder(folder)) continue;
    const auto [known, is_new] = listings.try_emplace(folder);
    if (is_new) known->second = file_system_.list(folder);
    const std::string name = path.filename().string();
    for (const std::string& there : known->second)
      if ((there == name && !only_temporary) || is_temporary_of(there, name))
        file_system_.remove(folder / there);
    folders.insert(folder);
  }
  for (const fs::path& folder : folders)
    if (folder != root_) file_system_.remove_empty_folder(folder);
}

void DestinationFolder::begin_commit() {
  began_commit_ = true;
  if (!old_files_.empty() || file_system_.exists(root_ / kManifest))
    file_system_.remove(root_ / kManifest);
}

void DestinationFolder::commit(std::string_view manifest) {
  std::set<std::string> kept;
  for (const fs::path& file : files_) kept.insert(file.string());
  std::erase_if(old_files_, [&](const std::string& file) { return kept.contains(file); });
  remove_files(old_files_);
  write_text(file_system_, root_ / kManifest, manifest, {options_.sync});
  is_committed_ = true;
  if (lock_) file_system_.remove(root_ / kMarker);
}

void DestinationFolder::remove_empty_folders() {
  std::set<fs::path> folders;
  for (const fs::path& file : files_) folders.insert((root_ / file).parent_path());
  for (const fs::path& folder : folders)
    if (folder != root_) file_system_.remove_empty_folder(folder);
  if (made_root_) file_system_.remove_empty_folder(root_);
}

void DestinationFolder::give_up() noexcept {
  try {
    if (lock_) file_system_.remove(root_ / kMarker);
    remove_empty_folders();
  } catch (const Error&) {  // the error that brought us here is told
  }
}

DestinationFolder::~DestinationFolder() {
  if (is_committed_) return;
  try {
    // What lies under these names is ours: the folder was empty, or old files were replaced.
    if (began_commit_ || !options_.force) {
      std::vector<std::string> files;
      for (const fs::path& file : files_) files.push_back(file.string());
      if (began_commit_) files.insert(files.end(), old_files_.begin(), old_files_.end());
      remove_files(files);
    }
  } catch (const Error&) {  // already unwinding: there is nobody to tell
  }
  give_up();
}

std::optional<Strategy> strategy_in(const FileSystem& file_system, const fs::path& folder) {
  fs::path place = folder;
  std::optional<Json> manifest = read_manifest(file_system, folder);
  if (!manifest && file_system.is_folder(folder)) {
    // Ranks that were made one by one have a manifest each.
    for (const std::string& name : file_system.list(folder))
      if (rank_in_path(name) >= 0 && file_system.is_folder(folder / name)) place = folder / name;
    manifest = read_manifest(file_system, place);
  }
  const Json* layouts = manifest ? manifest->find("layouts") : nullptr;
  if (layouts == nullptr) return {};
  const ErrorContext context([&] { return in_manifest(place); });
  Strategy strategy = parse_layouts(layouts->as_string());
  if (const Json* tensors = manifest->find("tensors")) add_shapes(*tensors, strategy);
  return strategy;
}

std::map<std::string, std::string> digests_in(const FileSystem& file_system,
                                              const fs::path& folder) {
  std::map<std::string, std::string> digests;
  const std::optional<Json> manifest = read_manifest(file_system, folder);
  const Json* tensors = manifest ? manifest->find("tensors") : nullptr;
  if (tensors == nullptr) return digests;
  const ErrorContext context([&] { return in_manifest(folder); });
  for (const Json& tensor : tensors->items())
    if (const Json* digest = tensor.find("digest"))
      digests[tensor.at("name").as_string()] = digest->as_string();
  return digests;
}

}  // namespace tessera
