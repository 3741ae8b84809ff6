// One record of the whole job from the slices that the ranks hold of it.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tessera/reshard/source.h"

namespace tessera::internal {

/// What one rank's file holds of a tensor.
struct Holder {
  Rank rank = 0;
  Record record;  // with the local shape; its pieces say which file
};

struct Holders {
  std::string name;
  std::string stored_name;  // before it was renamed; strategies may have either
  RecordKind kind = RecordKind::kTensor;
  DType dtype = DType::kF32;
  std::vector<Holder> all;  // by rank, ascending
};

class Assembler {
 public:
  Assembler(const Strategy* strategy, std::span<const RankFile> files, const SourceOptions& options,
            Source& source);

  /// Appends the record to the source's catalog. Throws kCorruptData for slices that contradict the
  /// strategy or each other.
  void add(Holders& holders);

 private:
  /// What the places of a stage hold of the tensors that are cut alike, each with its box.
  using Slices = std::vector<std::shared_ptr<const Box>>;
  using Cut = std::vector<Slices>;  // by place

  void add_unnamed(Holders& holders);
  [[noreturn]] void fail_shape(const Holders& holders, const Holder& holder, const Shape& wanted,
                               const Shape& global) const;
  void add_named(Holders& holders);
  void check_everywhere(const Holders& holders) const;
  void check_strings(const Holders& holders) const;
  int stage_of(Rank rank) const { return rank / ranks_per_stage_; }
  Rank place_of(Rank rank, const ParameterLayout& layout) const;
  Shape global_shape(const Holders& holders);
  Shape shape_in_stage(const Holders& holders, const Holder& first, bool& is_known);
  const Cut& cut_of(const ParameterLayout& layout, const Shape& global);
  void append_pieces(const Holder& holder, const Slices& slices, Record& record);
  std::string find_lost(const Holders& holders, const Shape& global);
  void note_lacking(const Holders& holders);
  void finish(Record record, bool is_unnamed, std::string lost);

  const Strategy* strategy_;
  std::span<const RankFile> files_;
  const SourceOptions& options_;
  Source& source_;
  int ranks_per_stage_ = 1;
  bool is_guessed_ = false;                       // the shape of the tensor that is being added
  std::vector<const ParameterLayout*> by_stage_;  // of the tensor that is being added
  std::map<std::string, Cut> cuts_;
};

}  // namespace tessera::internal
