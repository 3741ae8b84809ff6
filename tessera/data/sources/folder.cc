// Pictures in folders, one for each class, as MindSpore's ImageFolderDataset reads them: every
// folder is a class, numbered in the order of the names' bytes; rows come class by class, sorted by
// their paths.
#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include "tessera/base/text.h"
#include "tessera/data/class_names.h"
#include "tessera/data/image_file.h"
#include "tessera/data/row_source.h"
#include "tessera/io/file.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

struct Classes {
  std::vector<int32_t> labels;  // of the folders
  std::vector<std::string> names;
};

/// Each folder's class from a file of labels. The file names the folders; or names none of them and
/// has a name for each, in their order.
Classes classes_of(const std::vector<std::string>& folders, const fs::path& labels) {
  Classes classes;
  if (labels.empty()) {
    for (size_t i = 0; i < folders.size(); ++i) classes.labels.push_back(static_cast<int32_t>(i));
    classes.names = folders;
    return classes;
  }
  std::map<std::string, int32_t, std::less<>> known;
  for (const ClassName& entry : read_class_names(labels)) {
    const auto number = static_cast<int32_t>(classes.names.size());
    if (!entry.folder.empty()) {  // else a class that the file does not name
      known.emplace(entry.folder, number);
      known.emplace(entry.name, number);
    }
    classes.names.push_back(entry.name);
  }
  std::vector<std::string> missing;
  for (const std::string& folder : folders) {
    const auto found = known.find(folder);
    if (found == known.end()) missing.push_back(printable(folder));
    classes.labels.push_back(found == known.end() ? kNoLabel : found->second);
  }
  if (missing.empty()) return classes;
  require(missing.size() == folders.size() && folders.size() == classes.names.size(),
          "the labels {} have {} classes, but not the folders {}; wanted one for each of the {} "
          "folders, by its name",
          labels.string(), classes.names.size(), join_first(missing, 5), folders.size());
  for (size_t i = 0; i < folders.size(); ++i) classes.labels[i] = static_cast<int32_t>(i);
  return classes;
}

std::shared_ptr<const RowSource> open_folder(std::string_view place, const RowsOptions& options) {
  require(!trim(place).empty(), "folder needs a place: folder:DIR");
  const fs::path root(place);
  int64_t left_out = 0;
  std::vector<ImageFile> flat = find_pictures(root, false, left_out);
  std::vector<std::string> folders;
  for (const std::string& name : local_file_system().list(root))
    if (local_file_system().is_folder(root / name)) folders.push_back(name);
  std::sort(folders.begin(), folders.end());

  std::vector<std::string> names;
  std::vector<ImageFile> files;
  if (folders.empty()) {
    files = std::move(flat);
    if (!options.labels.empty())
      for (ClassName& entry : read_class_names(options.labels)) names.push_back(entry.name);
  } else {
    left_out += std::ssize(flat);
    Classes classes = classes_of(folders, options.labels);
    names = std::move(classes.names);
    for (size_t i = 0; i < folders.size(); ++i)
      for (ImageFile& file : find_pictures(root / folders[i], true, left_out))
        files.push_back({std::move(file.path), classes.labels[i]});
  }
  if (files.empty())
    fail(ErrorCode::kNotFound, "{} holds no pictures, nor do folders in it", root.string());
  std::vector<std::string> notes;
  if (left_out > 0)
    notes.push_back(fmt::format("{} files in {} are no pictures of a class, and left out", left_out,
                                root.string()));
  return open_pictures(fmt::format("folder:{}", place), std::move(files), std::move(names), options,
                       std::move(notes));
}

}  // namespace

RowSourceDef source_folder() {
  return {.notation = "folder:DIR",
          .doc = "pictures in one folder per class, numbered by the order of the folders' names",
          .open = open_folder};
}

}  // namespace tessera
