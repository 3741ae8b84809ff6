// How the parameters of a distributed job are cut over its ranks, as a strategy file says it:
// MindSpore's protobuf and JSON, or our own layouts.txt. Each form is one file in strategies/.
//
//   const Strategy strategy = read_strategy("train_strategy.ckpt");
//   const ParameterLayout* cut = strategy.find("fc1.weight", /*stage=*/0);
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "tessera/io/file.h"
#include "tessera/layout/layout.h"

namespace tessera {

/// One parameter in one pipeline stage.
struct ParameterLayout {
  std::string name;
  bool is_pattern = false;  // of layouts.txt: `name` has '*' and '?', the first that matches counts
  bool any_ndim = false;    // of layouts.txt: "[...]", every dim of any tensor is whole
  int stage = 0;
  Layout layout;           // over the ranks of one stage, counted from 0; optimizer sharding not in
                           // it. A mesh of one place holds for any number of ranks.
  int optimizer_step = 0;  // optimizer sharding: the distance between neighbours,
  int optimizer_size = 0;  // and into how many parts; 0: none, -1: over all replicas
  int field = 0;           // multi-field embedding; see slices_of
  std::vector<int64_t> split_rows;   // param_split_shape: the rows of each part, else empty
  std::vector<int64_t> row_offsets;  // indices_offset
  std::optional<Shape> shape;        // of the whole tensor, where the description says it

  bool operator==(const ParameterLayout&) const = default;
};

/// The pieces per dim of each operand of an operator, as shard() was given them.
struct OperatorStrategy {
  std::string name;  // "MatMul_fc1.weight"
  int stage = 0;
  std::vector<std::vector<int>> operands;

  bool operator==(const OperatorStrategy&) const = default;
};

struct Strategy {
  std::string format;       // "mindspore protobuf"
  int stage_count = 1;      // pipeline stages; stage s has the ranks from s * ranks_per_stage on
  int ranks_per_stage = 1;  // 1 too where every layout is a mesh of one place
  int current_stage = 1;    // MindSpore's counter of saves
  std::vector<ParameterLayout> parameters;
  std::vector<OperatorStrategy> operators;

  int rank_count() const { return stage_count * ranks_per_stage; }
  /// How `name` is cut in `stage`, or null: the first parameter or pattern that matches.
  const ParameterLayout* find(std::string_view name, int stage) const;
  /// Whether any stage names it.
  bool names(std::string_view name) const;
  /// The index is not compared.
  bool operator==(const Strategy& other) const;

  /// Filled by index_parameters; find() is slow without it.
  struct Index {
    std::vector<uint32_t> by_name;   // the parameters that are no patterns, by name and place
    std::vector<uint32_t> patterns;  // in order
    size_t indexed = 0;              // parameters when it was made
  };
  Index index;
};

/// To be called when `parameters` has changed; the functions here that return one have done it.
void index_parameters(Strategy& strategy);

/// Checks what the parts say of each other: layouts, equal ranks per stage, no name twice in a
/// stage, and every stage has parameters. Throws kCorruptData naming the parameter.
void validate(const Strategy& strategy);

/// Reads any of the forms, told apart by content. What MindSpore saved for one stage of a pipeline
/// reads as a strategy whose other stages are empty: validate() refuses it, merge_stages() takes
/// it. Throws kNotFound, kCorruptData (with the offset), kUnsupported, kIo.
Strategy read_strategy(const std::filesystem::path& path,
                       const FileSystem& files = local_file_system());
/// Writes the form that the suffix says: ".json", ".txt" (layouts.txt), else MindSpore's protobuf;
/// the file appears when it is complete. Throws kUnsupported for what the form cannot say, naming
/// the parameter and the form that can.
void write_strategy(const Strategy& strategy, const std::filesystem::path& path,
                    FileSystem& files = local_file_system());
/// Reads the text of layouts.txt. Throws kCorruptData with the line and the column.
Strategy parse_layouts(std::string_view text);
/// The text of layouts.txt.
std::string to_string(const Strategy& strategy);

/// One strategy of all stages from one per stage: MindSpore's merge_pipeline_strategys. Equal ones
/// count once. Throws kInvalidArgument unless the stages are 0 … k-1.
Strategy merge_stages(std::span<const Strategy> stages);

struct NamedShape {
  std::string name;
  Shape shape;
};

/// What MindSpore's forms can hold of `strategy`: patterns replaced by those of `tensors`, whole
/// ones, that they match, "[...]" by as many whole dims as the tensor has, and every parameter that
/// is among them with its shape. Tensors that the strategy does not name are left out. Throws
/// kNotFound for a pattern that matches none, kInvalidArgument for a shape that does not fit.
Strategy with_shapes(const Strategy& strategy, std::span<const NamedShape> tensors);

/// The layout with optimizer sharding as a further cut of dim 0. `ndim` counts for "[...]".
Layout full_layout(const ParameterLayout& parameter);
Layout full_layout(const ParameterLayout& parameter, size_t ndim);

/// The elements of a parameter of shape `global` that the rank with this place in its stage holds:
/// boxes that follow each other in its local tensor along dim 0. One box, except for
/// `interleave_fields` with field > 0: there the rows of each field are cut over the ranks and a
/// rank holds a part of every field. Throws kInvalidArgument naming what does not fit the shape.
std::vector<Box> slices_of(const ParameterLayout& parameter, const Shape& global, Rank place,
                           bool interleave_fields = false);
/// The extents of the tensor that these boxes make up.
Shape local_shape(std::span<const Box> slices);

/// MindSpore's ParallelGroupMap: communication groups, and the ranks whose checkpoint may replace
/// that of the rank that wrote the file.
struct GroupMap {
  struct Group {
    std::string name;
    std::vector<Rank> ranks;
    bool operator==(const Group&) const = default;
  };
  std::vector<Group> groups;
  std::vector<Rank> restore_ranks;
  bool operator==(const GroupMap&) const = default;
};

GroupMap read_group_map(const std::filesystem::path& path,
                        const FileSystem& files = local_file_system());
void write_group_map(const GroupMap& map, const std::filesystem::path& path,
                     FileSystem& files = local_file_system());

/// Whether a file that begins so is a strategy file of some form (not: a checkpoint).
bool looks_like_strategy(std::string_view head);

}  // namespace tessera
