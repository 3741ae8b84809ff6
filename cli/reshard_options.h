// What reshard and plan have in common: source, destination, and how replicas are treated.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/checkpoint_options.h"
#include "cli/common_options.h"
#include "tessera/reshard/output.h"
#include "tessera/reshard/plan.h"
#include "tessera/reshard/source.h"

namespace tessera::cli {

/// The files of a distributed checkpoint on a command line: of every word that reads one.
struct ShardOptions {
  std::vector<std::string> sources;
  std::string from;
  std::string pick;
  std::vector<std::string> except;
  bool interleave_fields = false;
  CheckpointOptions checkpoint;

  /// SRC…, --from, --pick, --except and the options of every word that opens a checkpoint.
  void declare(Arguments& arguments);
  /// Finds and opens the files. Throws as find_rank_files, read_strategy and open_source do.
  Source open(int threads) const;
};

struct ReshardRequest {
  ShardOptions shards;
  std::string to;
  bool is_whole = false;
  int64_t rank = -1;
  std::string memory = "256MiB";
  bool check_replicas = false;
  bool no_check_replicas = false;
  CommonOptions common;

  void declare(Arguments& arguments);
  PlanOptions plan_options() const;
  /// What --to, --whole and --rank ask for; `layouts` becomes the strategy as layouts.txt.
  Destination destination(const Source& source, std::string& layouts) const;
};

}  // namespace tessera::cli
