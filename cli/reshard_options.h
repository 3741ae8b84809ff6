// What reshard and plan have in common: source, destination, and how replicas are treated.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "cli/checkpoint_options.h"
#include "cli/common_options.h"
#include "tessera/reshard/output.h"
#include "tessera/reshard/plan.h"
#include "tessera/reshard/source.h"

namespace tessera::cli {

/// The files of a distributed checkpoint on a command line: of every word that reads one or two.
struct ShardOptions {
  std::vector<std::string> sources;
  std::string from;
  std::string pick;
  std::vector<std::string> except;
  bool interleave_fields = false;
  CheckpointOptions checkpoint;

  /// SRC…, --from, and the options of declare_reading.
  void declare(Arguments& arguments);
  /// --pick, --except and the options of every word that opens a checkpoint.
  void declare_reading(Arguments& arguments);
  /// Finds and opens the files. Throws as find_rank_files, read_strategy and open_source do.
  Source open(int threads) const;
};

/// --memory and which replicas are compared: of every word that streams a checkpoint.
struct StreamOptions {
  std::string memory = "256MiB";
  bool check_replicas = false;
  bool no_check_replicas = false;

  void declare(Arguments& arguments);
  /// Throws UsageError.
  PlanOptions plan_options(int threads) const;
};

struct ReshardRequest {
  ShardOptions shards;
  std::string to;
  bool is_whole = false;
  static constexpr int64_t kAllRanks = std::numeric_limits<int64_t>::min();
  int64_t rank = kAllRanks;
  StreamOptions stream;
  CommonOptions common;

  void declare(Arguments& arguments);
  PlanOptions plan_options() const;
  /// What --to, --whole and --rank ask for; `layouts` becomes the strategy as layouts.txt.
  Destination destination(const Source& source, std::string& layouts) const;
};

}  // namespace tessera::cli
