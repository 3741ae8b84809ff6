#include "tessera/reshard/rank_files.h"

#include <algorithm>
#include <map>
#include <set>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/reshard/destination_folder.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

constexpr int kMostRanks = 1 << 20;

std::string shown(const fs::path& path) {
  return printable(path.string());
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The number that begins at `at`, or -1 when there is none or it is no rank.
int64_t number_at(std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  if (end == at || end - at > 7) return -1;
  return parse_int(text.substr(at, end - at)).value_or(-1);
}

/// The number after the last "rank_" or "rank" of a name, or -1.
Rank rank_in_name(std::string_view name) {
  for (size_t at = name.rfind("rank"); at != name.npos && at < name.size();
       at = at == 0 ? name.npos : name.rfind("rank", at - 1)) {
    size_t digits = at + 4;
    if (digits < name.size() && name[digits] == '_') ++digits;
    const int64_t number = number_at(name, digits);
    if (number >= 0 && number < kMostRanks) return static_cast<Rank>(number);
  }
  return -1;
}

/// The number that a name without its suffix ends with: 3 for "net3", -1 for "net".
int64_t last_number(const fs::path& path) {
  const std::string stem = path.stem().string();
  size_t begin = stem.size();
  while (begin > 0 && is_digit(stem[begin - 1])) --begin;
  return number_at(stem, begin);
}

/// The "-EPOCH_STEP" that MindSpore ends the names of training checkpoints with, or "".
std::string step_of(const fs::path& path) {
  const std::string stem = path.stem().string();
  const size_t dash = stem.rfind('-');
  if (dash == stem.npos) return {};
  const std::string rest = stem.substr(dash + 1);
  const size_t line = rest.find('_');
  if (line == 0 || line == rest.npos || line + 1 == rest.size()) return {};
  for (size_t i = 0; i < rest.size(); ++i)
    if (i != line && !is_digit(rest[i])) return {};
  return rest;
}

bool is_checkpoint_name(const std::string& name) {
  return name.ends_with(".ckpt") || name.ends_with(".safetensors");
}

/// Names in the order people count: net_2 before net_10.
bool natural_less(const std::string& a, const std::string& b) {
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const auto number = [](const std::string& text, size_t& at) {
        const size_t begin = text.find_first_not_of('0', at);
        while (at < text.size() && is_digit(text[at])) ++at;
        return begin >= at ? std::string() : text.substr(begin, at - begin);
      };
      const std::string x = number(a, i), y = number(b, j);
      if (x != y) return x.size() != y.size() ? x.size() < y.size() : x < y;
    } else if (a[i] != b[j]) {
      return a[i] < b[j];
    } else {
      ++i, ++j;
    }
  }
  return a.size() - i < b.size() - j;
}

class Finder {
 public:
  explicit Finder(const FindOptions& options)
      : options_(options),
        files_(options.files != nullptr ? *options.files : local_file_system()) {}

  std::vector<RankFile> find(std::span<const std::string> sources) const {
    require(!sources.empty(), "no source is given");
    std::vector<RankFile> found;
    if (sources.size() == 1 && files_.is_folder(sources[0])) {
      found = in_folder(sources[0]);
    } else if (sources.size() == 1 && !files_.exists(sources[0]) && is_pattern(sources[0])) {
      found = of_paths(expand(sources[0]), false);
    } else {
      std::vector<fs::path> paths;
      for (const std::string& source : sources) {
        if (!files_.exists(source) && !options_.may_be_absent)
          fail(ErrorCode::kNotFound, "there is no file or folder '{}'", printable(source));
        paths.push_back(files_.is_folder(source) && sources.size() > 1 ? only_file(source)
                                                                       : fs::path(source));
      }
      found = of_paths(std::move(paths), true);
    }
    std::sort(found.begin(), found.end(),
              [](const RankFile& a, const RankFile& b) { return a.rank < b.rank; });
    check_names(found);
    return found;
  }

 private:
  static bool is_pattern(std::string_view text) { return text.find_first_of("*?") != text.npos; }

  /// The paths that match; '*' and '?' do not match a '/'.
  std::vector<fs::path> expand(const fs::path& pattern) const {
    std::vector<fs::path> paths{pattern.is_absolute() ? pattern.root_path() : fs::path()};
    for (const fs::path& part : pattern.relative_path()) {
      std::vector<fs::path> next;
      for (const fs::path& path : paths) {
        if (!is_pattern(part.string())) {
          if (files_.exists(path / part) || files_.is_folder(path / part))
            next.push_back(path / part);
          continue;
        }
        const fs::path folder = path.empty() ? "." : path;
        if (!files_.is_folder(folder)) continue;
        for (const std::string& name : files_.list(folder))
          if (matches(part.string(), name)) next.push_back(path / name);
      }
      paths = std::move(next);
    }
    if (paths.empty() && !options_.may_be_absent)
      fail(ErrorCode::kNotFound, "no file matches '{}'", shown(pattern));
    std::sort(paths.begin(), paths.end(), [](const fs::path& a, const fs::path& b) {
      return natural_less(a.string(), b.string());
    });
    return paths;
  }

  std::vector<RankFile> in_folder(const fs::path& folder) const {
    require(!files_.exists(folder / DestinationFolder::kMarker) ||
                files_.exists(folder / DestinationFolder::kManifest),
            "{} is the result of a run that was stopped, or that still writes: {} lies in it; "
            "finish that run first",
            shown(folder), DestinationFolder::kMarker);
    std::map<Rank, std::vector<fs::path>> folders;
    std::vector<fs::path> checkpoints;
    bool has_index = false;
    for (const std::string& name : files_.list(folder)) {
      const fs::path path = folder / name;
      if (files_.is_folder(path)) {
        if (const Rank rank = rank_in_name(name); rank >= 0) folders[rank].push_back(path);
      } else if (is_checkpoint_name(name)) {
        if (options_.pick.empty() || matches(options_.pick, name)) checkpoints.push_back(path);
      } else {
        has_index = has_index || name.ends_with(".index.json") || name == "metadata.json" ||
                    name == "param_name_map.json";
      }
    }
    if (has_index || (folders.empty() && checkpoints.size() == 1)) return {{0, folder}};
    if (folders.empty()) {
      if (checkpoints.empty() && !options_.may_be_absent)
        fail(ErrorCode::kNotFound, "{} holds no rank_<i> folder and no checkpoint", shown(folder));
      std::sort(checkpoints.begin(), checkpoints.end(), [](const fs::path& a, const fs::path& b) {
        return natural_less(a.string(), b.string());
      });
      return of_paths(std::move(checkpoints), false);
    }
    std::vector<RankFile> found;
    for (const auto& [rank, paths] : folders) {
      require(paths.size() == 1, "rank {} has {} folders in {}: {}; name the files one by one",
              rank, paths.size(), shown(folder), list(paths));
      // An empty folder is a lost file, which replicas may stand in for.
      if (!files_.list(paths[0]).empty()) found.push_back({rank, only_file(paths[0])});
    }
    if (found.empty() && !options_.may_be_absent)
      fail(ErrorCode::kNotFound, "the rank folders of {} are empty", shown(folder));
    return found;
  }

  std::string_view advice() const {
    return options_.offers_pick ? "choose with --pick PATTERN, or " : "";
  }

  /// The one checkpoint in the folder of a rank.
  fs::path only_file(const fs::path& folder) const {
    std::vector<fs::path> found;
    for (const std::string& name : files_.list(folder)) {
      if (name.ends_with(".index.json")) return folder;
      if (is_checkpoint_name(name) && !files_.is_folder(folder / name) &&
          (options_.pick.empty() || matches(options_.pick, name)))
        found.push_back(folder / name);
    }
    if (found.empty())
      fail(ErrorCode::kNotFound, "{} holds no .ckpt or .safetensors file{}", shown(folder),
           options_.pick.empty() ? std::string()
                                 : fmt::format(" that matches '{}'", printable(options_.pick)));
    require(found.size() == 1,
            "{} holds {} checkpoints for one rank: {}; {}name the same file of every rank, such as "
            "'rank_*/{}' (MindSpore silently takes the last by name)",
            shown(folder), found.size(), list(found), advice(), found.back().filename().string());
    return found[0];
  }

  /// Ranks for paths without rank folders. `in_order`: somebody listed them in the order of ranks.
  std::vector<RankFile> of_paths(std::vector<fs::path> paths, bool in_order) const {
    std::vector<RankFile> found;
    if (paths.size() == 1) return {{0, std::move(paths[0])}};
    std::map<Rank, std::vector<fs::path>> by_rank;
    bool have_ranks = true;
    for (const fs::path& path : paths) {
      const Rank rank = rank_in_path(path);
      have_ranks = have_ranks && rank >= 0;
      by_rank[rank].push_back(path);
    }
    if (!have_ranks && !in_order) {
      // Names that end in 0 … n-1 say so too.
      by_rank.clear();
      for (const fs::path& path : paths)
        by_rank[static_cast<Rank>(last_number(path))].push_back(path);
      have_ranks = by_rank.size() == paths.size() && by_rank.begin()->first == 0 &&
                   by_rank.rbegin()->first == static_cast<Rank>(paths.size()) - 1;
    }
    if (!have_ranks || in_order)
      for (size_t i = 0; i < paths.size(); ++i) found.push_back({static_cast<Rank>(i), paths[i]});
    if (have_ranks && !in_order) {
      for (const auto& [rank, all] : by_rank) {
        require(all.size() == 1, "rank {} has {} files: {}; {}name the files of one step", rank,
                all.size(), list(all), advice());
        found.push_back({rank, all[0]});
      }
    }
    if (have_ranks && in_order) check_listed(found);
    return found;
  }

  /// A list whose paths name ranks must name them in the order 0, 1, 2, …
  void check_listed(std::span<const RankFile> found) const {
    if (allows("rank_order")) return;
    for (const RankFile& file : found) {
      const Rank named = rank_in_path(file.path);
      require(named == file.rank,
              "the list has {} in the place of rank {}, but its path says rank {}; list the files "
              "in the order of the ranks ('--allow rank_order' takes the order as it is)",
              shown(file.path), file.rank, named);
    }
  }

  void check_names(std::span<const RankFile> found) const {
    if (found.size() < 2) return;
    check_twice(found);
    check_numbers(found);
    if (allows("mixed_steps")) return;
    const std::string first = step_of(found[0].path);
    for (const RankFile& file : found) {
      const std::string step = step_of(file.path);
      require(step == first,
              "{} of rank {} is of step '{}' but {} of rank {} of '{}': files of different moments "
              "do not go together ({}name the files of one step; '--allow mixed_steps' takes them)",
              shown(file.path), file.rank, step, shown(found[0].path), found[0].rank, first,
              advice());
    }
  }

  /// Files that are called alike but for a number below the number of ranks: it is the rank's.
  void check_numbers(std::span<const RankFile> found) const {
    if (allows("rank_order")) return;
    struct Alike {
      std::vector<const RankFile*> files;
      std::set<int64_t> numbers;
      bool are_ranks = true;
    };
    std::map<std::string, Alike> by_stem;
    for (const RankFile& file : found) {
      const int64_t number = last_number(file.path);
      if (number < 0 || !step_of(file.path).empty()) continue;
      const std::string stem = file.path.stem().string();
      Alike& alike = by_stem[stem.substr(0, stem.find_last_not_of("0123456789") + 1)];
      alike.files.push_back(&file);
      alike.numbers.insert(number);
      alike.are_ranks = alike.are_ranks && number <= found.back().rank;
    }
    for (const auto& [stem, alike] : by_stem) {
      if (!alike.are_ranks || alike.numbers.size() < 2) continue;
      for (const RankFile* file : alike.files) {
        const int64_t number = last_number(file->path);
        require(
            number == file->rank,
            "{} is given for rank {}, but the number in its name says rank {}: the files are in "
            "the wrong order or folders were swapped ('--allow rank_order' takes them as they "
            "are)",
            shown(file->path), file->rank, number);
      }
    }
  }

  /// One file cannot be the slices of two ranks.
  static void check_twice(std::span<const RankFile> found) {
    std::map<fs::path, Rank> known;
    for (const RankFile& file : found) {
      std::error_code ignored;
      fs::path real = fs::weakly_canonical(file.path, ignored);
      if (ignored) real = file.path;
      const auto [other, is_new] = known.try_emplace(std::move(real), file.rank);
      require(is_new, "{} is given for rank {} and for rank {}: each rank has a file of its own",
              shown(file.path), other->second, file.rank);
    }
  }

  bool allows(std::string_view kind) const {
    return std::find(options_.allow.begin(), options_.allow.end(), kind) != options_.allow.end();
  }

  static std::string list(std::span<const fs::path> paths) {
    std::vector<std::string> names;
    for (const fs::path& path : paths) names.push_back(shown(path));
    return join(names, ", ");
  }

  const FindOptions& options_;
  const FileSystem& files_;
};

}  // namespace

Rank rank_in_path(const fs::path& path) {
  const Rank in_name = rank_in_name(path.filename().string());
  if (in_name >= 0) return in_name;
  const fs::path folder = path.parent_path();
  const Rank in_folder = rank_in_name(folder.filename().string());
  if (in_folder >= 0) return in_folder;
  return rank_in_name(folder.parent_path().filename().string());
}

std::vector<RankFile> find_rank_files(std::span<const std::string> sources,
                                      const FindOptions& options) {
  return Finder(options).find(sources);
}

}  // namespace tessera
