// The options of every word that runs a model.
#pragma once

#include <string>

#include "cli/arguments.h"
#include "tessera/model/model.h"

namespace tessera::cli {

struct ModelOptions {
  std::string model;
  std::string kernels = "best";

  void declare(Arguments& arguments);
  RunOptions run_options(int threads) const;
  ModelSpec spec() const;
};

}  // namespace tessera::cli
