#include "cli/common_options.h"

#include "cli/word.h"

namespace tessera::cli {

void CommonOptions::declare(Arguments& arguments) {
  arguments.group("General");
  arguments.flag("--json", json, "print JSON");
  arguments.flag("--quiet", quiet, "no progress bar, nothing but the result");
  arguments.option("--threads", threads, "processors to use; 0: all that this process may use");
}

int CommonOptions::thread_count() const {
  require_usage(threads >= 0 && threads <= 4096, "--threads is {}; wanted 0 to 4096", threads);
  return static_cast<int>(threads);
}

}  // namespace tessera::cli
