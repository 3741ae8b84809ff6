// A page of HTML about an evaluation, for people: metrics, which classes are taken for which,
// precision and recall of each, the surest mistakes with their pictures, throughput. It is one file
// without links, scripts or fonts from elsewhere, for light and dark screens.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tessera/model/eval_record.h"

namespace tessera {

struct Report {
  std::string model;       // as it was asked for
  std::string weights;     // file or folder
  std::string data;        // "cifar10:DIR"
  std::string transforms;  // in the notation of data/transform.h
  int ranks = 1;
  double load_seconds = 0;
  std::vector<std::string> class_names;  // by number; may be empty
  std::vector<std::string> notes;        // sentences about what is not in the numbers
};

/// The page. Rows of `source` that are pictures are drawn as they are before any transform.
std::string report_page(const Report& report, const EvalReport& eval, const EvalRecord& record,
                        const RowSource& source);

/// The same as a file, which appears when it is complete.
void write_report(const std::filesystem::path& path, const std::string& page);

}  // namespace tessera
