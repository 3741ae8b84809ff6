// The ranks of a job load what they need of the files of M other ranks, or of one merged
// checkpoint: every byte is read from storage once in total and sent to the ranks that hold it;
// nothing whole is ever made.
//
//   run_world({.ranks = 4}, [&](Communicator& world) {
//     LoadedRank mine = load_ranks(world, files, &train, {{{"fc.weight", DType::kF32, {120, 400}},
//                                                          parse_layout("{tp=4} [tp, -]")}});
//     Tensor weight = mine.tensors.at("fc.weight");  // [30,400]
//   });
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "tessera/checkpoint/match.h"
#include "tessera/comm/communicator.h"
#include "tessera/layout/layout.h"
#include "tessera/reshard/assign_readers.h"
#include "tessera/reshard/rank_files.h"

namespace tessera {

/// A parameter of the network, whole, and how it lies on the ranks of the job. Ranks that are not
/// in the layout's mesh hold nothing of it.
struct WantedParameter {
  NetworkParameter parameter;
  Layout layout;
};

struct LoadRanksOptions {
  OpenOptions open;    // where the CRC is checked, by one rank per file, which reads it once more
  MatchOptions match;  // of whole parameters with whole stored tensors
  ReplicaCheck replicas = ReplicaCheck::kReadFiles;
  AssignOptions assign;
  int threads = 0;  // of each rank; 0: the processors of its machine, shared by its ranks
};

/// What one rank gets.
struct LoadedRank {
  std::map<std::string, Tensor, std::less<>> tensors;  // its part of each parameter that it holds
  MatchReport match;               // not_loaded: parameters that were allowed to be missing
  std::vector<RankTraffic> ranks;  // tensors' bytes, of all ranks
  uint64_t bytes_compared = 0;     // of those read, to compare replicas
  size_t rounds = 0;
  double seconds = 0;              // of this rank, headers and planning included
  std::vector<std::string> notes;  // equal on all ranks
};

/// Collective: every rank of `world` calls it with the same arguments, except that `files` are
/// those that it was told of. A rank sees those of them that are there; of those that several see,
/// which must be the same, one rank reads each part. `train` says how the files are cut; null: each
/// holds whole tensors. What is wrong with the files' headers or their names is found before
/// anything is read, on all ranks alike: kNotFound for a file that no rank sees, a parameter or a
/// slice that no file holds, kCorruptData for different files of one rank, kInvalidArgument for
/// shapes that do not fit, kComm where the ranks' arguments differ. Besides what a rank holds, a
/// load takes three times assign.round_bytes, and as much as the largest tensor that it converts.
LoadedRank load_ranks(Communicator& world, std::span<const RankFile> files, const Strategy* train,
                      std::span<const WantedParameter> wanted,
                      const LoadRanksOptions& options = {});

/// Totals and a line per rank, for people.
std::string to_string(const LoadedRank& loaded);

}  // namespace tessera
