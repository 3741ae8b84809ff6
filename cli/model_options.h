// The options of every word that runs a model.
#pragma once

#include <string>

#include "cli/arguments.h"
#include "tessera/model/model.h"

namespace tessera::cli {

struct ModelOptions {
  std::string model;
  std::string kernels = "best";
  int64_t threads = 0;

  void declare(Arguments& arguments);
  RunOptions run_options() const;
};

}  // namespace tessera::cli
