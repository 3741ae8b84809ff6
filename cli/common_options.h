// The options that every word has, with one spelling and one meaning.
#pragma once

#include "cli/arguments.h"

namespace tessera::cli {

struct CommonOptions {
  bool json = false;
  bool quiet = false;
  int64_t threads = 0;

  /// --json, --quiet, --threads.
  void declare(Arguments& arguments);
  /// The number of threads, 0 for all. Throws UsageError when it is none.
  int thread_count() const;
};

}  // namespace tessera::cli
