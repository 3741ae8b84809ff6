// The files of M ranks as one checkpoint: every tensor of the job is one record with its global
// shape, and each rank's slice of it a piece with its box. What the pieces hold is planned and
// moved like the pieces of any other checkpoint.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tessera/checkpoint/checkpoint.h"
#include "tessera/checkpoint/name_map.h"
#include "tessera/checkpoint/strategy.h"
#include "tessera/reshard/rank_files.h"

namespace tessera {

struct SourceOptions {
  OpenOptions open;                 // `open.allow` also takes names of tensors, see open_source
  NameMap renaming;                 // of the files' names; strategies have the new ones
  std::string prefix;               // only names that begin with it, without it; after the renaming
  std::vector<std::string> except;  // patterns of names that are left out
  /// For tensors with a `field`: MindSpore's merge of slices puts the fields' rows together,
  /// its transform functions ignore the field.
  bool interleave_fields = false;
  int threads = 0;  // 0: default_thread_count()
};

struct Source {
  Checkpoint checkpoint;
  std::vector<Rank> rank_of_file;  // by the index in Catalog::files
  /// The records that the strategy does not name: all their pieces are the whole tensor and must
  /// have equal bytes, which is checked when they are read.
  std::vector<bool> is_unnamed;
  /// Per record the slices that no file holds, as messages name them; empty where nothing is lost.
  std::vector<std::string> lost;
  /// Records whose extents cannot be known, because no file holds one of the parts and layouts.txt,
  /// which may cut unevenly, says no shape. They cannot be planned.
  std::vector<bool> is_guessed;
  int rank_count = 1;
  bool has_strategy = false;
  std::vector<std::string> unmatched;  // patterns of SourceOptions::except that left nothing out
  std::vector<std::string> notes;      // for the report

  const Catalog& catalog() const { return checkpoint.catalog; }
};

/// Opens the files, which reads their headers. `strategy` says how they were cut; null: each file
/// holds whole tensors. A string must be equal in every file. A tensor that the strategy does not
/// name must be in every file (of its pipeline stages) with one shape; allowing its name takes the
/// first file's. Throws kCorruptData naming rank, file and tensor where shapes, dtypes or numbers
/// of ranks contradict the strategy, and what open_checkpoint throws.
Source open_source(std::span<const RankFile> files, const Strategy* strategy,
                   const SourceOptions& options = {});
/// The same of files that are open, or of which the headers are known: opened[i] is files[i].
Source source_of(std::span<const RankFile> files, std::vector<Checkpoint> opened,
                 const Strategy* strategy, const SourceOptions& options = {});

}  // namespace tessera
