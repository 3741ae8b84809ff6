// The options of every word that reads rows, and the pipeline that they describe.
#pragma once

#include <string>
#include <vector>

#include "cli/arguments.h"
#include "tessera/data/pipeline.h"
#include "tessera/zoo/zoo.h"

namespace tessera::cli {

struct RowOptions {
  std::string data;                    // "mnist:DIR/test"
  std::string transforms = "default";  // what the model says for this data set
  int64_t batch = 32;
  int64_t limit = 0;   // 0: all rows
  std::string labels;  // file that names the classes
  bool skip_bad = false;
  std::string max_pixels;
  bool drop_remainder = false;

  void declare(Arguments& arguments, bool data_required);
  /// Throws UsageError for numbers that mean nothing.
  void check() const;
  RowsOptions rows_options() const;
  /// The names of the classes by number: the file of labels', else the source's, maybe none.
  std::vector<std::string> class_names(const RowSource& source) const;
  /// The rows, transformed for the model and batched. Throws kInvalidArgument when what comes out
  /// is not f32, saying which transform makes it so.
  Pipeline open(const ModelSpec& spec, int threads) const;
  /// The same over rows that are already open; `kind` is the data set's name for the defaults:
  /// those of cifar10 hold for cifar100, those of image for folder, unless the model has their own.
  Pipeline open(const ModelSpec& spec, std::shared_ptr<const RowSource> source,
                std::string_view kind, int threads) const;
};

}  // namespace tessera::cli
