#include <fmt/format.h>

#include <algorithm>

#include "cli/common_options.h"
#include "cli/strategy_text.h"
#include "cli/word.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/strategy.h"

namespace tessera::cli {
namespace {

namespace fs = std::filesystem;

struct Request {
  std::vector<std::string> sources;
  std::string output;
  bool force = false;
  CommonOptions common;
};

/// The strategy files in a folder: all .ckpt or all .json or all .txt.
std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const std::string& name : local_file_system().list(folder)) {
    const std::string suffix = fs::path(name).extension().string();
    if (suffix == ".ckpt" || suffix == ".json" || suffix == ".txt") files.push_back(folder / name);
  }
  require(!files.empty(), "the folder {} holds no .ckpt, .json or .txt file",
          printable(folder.string()));
  for (const fs::path& file : files)
    require(file.extension() == files[0].extension(),
            "the folder {} holds {} and {}; name the files to be merged",
            printable(folder.string()), printable(files[0].filename().string()),
            printable(file.filename().string()));
  return files;
}

void merge(const Request& request) {
  std::vector<fs::path> files;
  for (const std::string& source : request.sources) {
    const bool folder = local_file_system().is_folder(source);
    const std::vector<fs::path> more = folder ? files_in(source) : std::vector<fs::path>{source};
    files.insert(files.end(), more.begin(), more.end());
  }
  require_new_file(request.output, request.force);
  std::vector<Strategy> stages;
  std::vector<std::string> names;
  for (const fs::path& file : files) {
    stages.push_back(read_strategy(file));
    names.push_back(fmt::format("{}: {}", names.size() + 1, printable(file.string())));
  }
  const ErrorContext context(
      [&] { return fmt::format("merging {} strategies ({})", files.size(), join(names, ", ")); });
  const Strategy merged = merge_stages(stages);
  validate(merged);
  write_strategy(merged, request.output);
  if (request.common.json) {
    fmt::print("{}\n", strategy_json(merged));
  } else if (!request.common.quiet) {
    fmt::print("{}: {}\n", printable(request.output), describe(merged));
  }
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(merge_strategies) {
  using namespace tessera::cli;
  return {
      .doc = "make one strategy file of a pipeline from the files of its stages",
      .examples = {"tessera merge-strategies stage0.ckpt stage1.ckpt -o merged.ckpt",
                   "tessera merge-strategies strategies/ -o layouts.txt"},
      .declare =
          [](Arguments& arguments) {
            const auto request = std::make_shared<Request>();
            arguments.positionals("sources", request->sources,
                                  "strategy files, or folders of them");
            arguments.option("-o,--output", request->output,
                             "file to write: OUT.ckpt, OUT.json or OUT.txt", true);
            arguments.flag("--force", request->force, "replace the file of -o");
            request->common.declare(arguments);
            return [request] { merge(*request); };
          },
  };
}
