#include "cli/model_options.h"

#include "tessera/base/error.h"

namespace tessera::cli {

void ModelOptions::declare(Arguments& arguments) {
  arguments.positional(
      "model", model,
      "name of a model (see 'tessera models'), with its options: \"mlp(hidden=[128])\"");
  arguments.group("Running");
  arguments.option("--threads", threads, "processors to use; 0: all that this process may use");
  arguments.option("--kernels", kernels, "best, or reference: plain C++ without oneDNN");
}

RunOptions ModelOptions::run_options() const {
  require(threads >= 0 && threads <= 4096, "--threads is {}; wanted 0 to 4096", threads);
  require(kernels == "best" || kernels == "reference",
          "--kernels is '{}'; there are best, reference", kernels);
  return {.threads = static_cast<int>(threads), .reference_only = kernels == "reference"};
}

}  // namespace tessera::cli
