// MindFormers' distributed safetensors: <prefix>-model-<rank>-<ranks>.safetensors, one per rank in
// one folder, and metadata.json, which says what each file holds of every tensor.
// docs/formats/mindformers-metadata.md specifies it.
#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/formats/internal/shard_key.h"
#include "tessera/reshard/outputs/internal/rank_files.h"

namespace tessera {
namespace {

/// Who holds which of the equal parts that a tensor is cut into.
struct Grid {
  Shape parts;                             // per dim
  Shape part;                              // the extents of one
  std::vector<std::vector<Rank>> holders;  // per part, row-major
};

struct Holder {
  Rank rank = 0;
  uint32_t slices = 0;
};

class MetadataText {
 public:
  explicit MetadataText(const OutputRequest& request) : request_(request) {}

  /// `files`: the file's name per rank.
  std::string make(const std::vector<std::string>& files) {
    for (size_t rank = 0; rank < files.size(); ++rank)
      stored_by_.push_back(fmt::format("{{\"file_name\":\"{}\",\"storage_rank\":{}}}",
                                       json_escape(files[rank]), rank));
    const std::vector<std::vector<Holder>> holders = holders_by_record();
    for (size_t r = 0; r < holders.size(); ++r) {
      if (holders[r].empty()) continue;
      const Record& record = request_.catalog.records[r];
      const Grid grid = grid_of(record, holders[r]);
      add_tensor(record, grid);
      add_storage(record, grid);
    }
    return "{\"state_dict_metadata\":{" + tensors_ + "},\"storage_data\":{" + storage_ + "}}";
  }

 private:
  std::vector<std::vector<Holder>> holders_by_record() const {
    std::vector<std::vector<Holder>> holders(request_.catalog.records.size());
    const auto& ranks = request_.destination.ranks;
    for (size_t rank = 0; rank < ranks.size(); ++rank)
      for (const Holding& holding : ranks[rank])
        holders.at(holding.record).push_back({static_cast<Rank>(rank), holding.slices});
    return holders;
  }

  Grid grid_of(const Record& record, const std::vector<Holder>& holders) const {
    Grid grid;
    grid.part = box_of_slices(record, holders[0].slices).size;
    grid.parts = Shape(grid.part.size(), 1);
    for (size_t d = 0; d < grid.part.size(); ++d) {
      const int64_t extent = grid.part[d];
      if (extent == record.shape[d]) continue;
      if (extent == 0 || record.shape[d] % extent != 0) refuse_uneven(record, holders[0]);
      grid.parts[d] = record.shape[d] / extent;
    }
    grid.holders.resize(static_cast<size_t>(element_count(grid.parts)));
    for (const Holder& holder : holders) {
      const Box& box = box_of_slices(record, holder.slices);
      if (box.size != grid.part) refuse_uneven(record, holder);
      int64_t index = 0;
      for (size_t d = 0; d < grid.part.size(); ++d) {
        if (grid.part[d] != 0 && box.begin[d] % grid.part[d] != 0) refuse_uneven(record, holder);
        index = index * grid.parts[d] + (grid.part[d] == 0 ? 0 : box.begin[d] / grid.part[d]);
      }
      grid.holders.at(static_cast<size_t>(index)).push_back(holder.rank);
    }
    for (const std::vector<Rank>& part : grid.holders)
      if (part.empty())
        fail(ErrorCode::kInvalidArgument,
             "no rank holds all of '{}' {} together: a part is missing", printable(record.name),
             describe(record));
    return grid;
  }

  const Box& box_of_slices(const Record& record, uint32_t slices) const {
    const std::vector<Box>& boxes = request_.destination.slices.at(slices);
    if (boxes.size() != 1)
      fail(ErrorCode::kInvalidArgument,
           "'{}' is cut into interleaved fields, which MindFormers cannot say; write safetensors",
           printable(record.name));
    return boxes[0];
  }

  [[noreturn]] void refuse_uneven(const Record& record, const Holder& holder) const {
    fail(ErrorCode::kInvalidArgument,
         "rank {} holds {} of '{}' {}, which is no part of an even cut, and MindFormers knows no "
         "other; write safetensors",
         holder.rank, to_string(box_of_slices(record, holder.slices)), printable(record.name),
         describe(record));
  }

  void add_tensor(const Record& record, const Grid& grid) {
    if (!tensors_.empty()) tensors_ += ',';
    tensors_ += fmt::format(
        "\"{}\":{{\"properties\":{{\"dtype\":\"{}\",\"replica_id\":0,"
        "\"allow_shape_mismatch\":false,\"allow_to_save\":true}},\"global_shape\":{},"
        "\"axis_fragmentations\":{},\"layout\":{},\"chunk\":[",
        json_escape(record.name), info(record.dtype).mindspore_name, to_string(record.shape),
        to_string(grid.parts), layout_json(grid));
    const std::string shape = to_string(grid.part);
    for (size_t part = 0; part < grid.holders.size(); ++part)
      tensors_ += fmt::format("{}{{\"global_offset\":[{}],\"local_shape\":{}}}",
                              part == 0 ? "" : ",", part, shape);
    tensors_ += "]}";
  }

  /// MindSpore's Layout: a mesh of replicas and one axis per dim that is cut. Its list of ranks
  /// says who stands where, so that any assignment of parts to ranks can be said.
  static std::string layout_json(const Grid& grid) {
    size_t replicas = grid.holders[0].size();
    for (const std::vector<Rank>& part : grid.holders) replicas = std::min(replicas, part.size());
    Shape mesh{static_cast<int64_t>(replicas)};
    std::string names = "\"replica\"";
    for (size_t d = 0; d < grid.parts.size(); ++d) {
      if (grid.parts[d] == 1) continue;
      mesh.push_back(grid.parts[d]);
      names += fmt::format(",\"dim{}\"", d);
    }
    Shape map;
    int64_t axis = static_cast<int64_t>(mesh.size()) - 1;  // counted from the right, from here down
    for (const int64_t parts : grid.parts) map.push_back(parts == 1 ? -1 : --axis);
    std::string ranks;
    for (size_t replica = 0; replica < replicas; ++replica)
      for (const std::vector<Rank>& part : grid.holders)
        ranks += (ranks.empty() ? "" : ",") + std::to_string(part[replica]);
    return fmt::format(
        "{{\"device_matrix\":{},\"tensor_map\":{},\"interleaved_parallel\":false,"
        "\"alias_name\":[{}],\"rank_list\":[{}]}}",
        to_string(mesh), to_string(map), names, ranks);
  }

  void add_storage(const Record& record, const Grid& grid) {
    for (size_t part = 0; part < grid.holders.size(); ++part) {
      if (!storage_.empty()) storage_ += ',';
      storage_ += '"';
      storage_ += json_escape(internal::shard_key(record.name, {static_cast<int64_t>(part)}));
      storage_ += "\":[";
      std::string_view before;
      for (const Rank rank : grid.holders[part]) {
        storage_ += before;
        storage_ += stored_by_[static_cast<size_t>(rank)];
        before = ",";
      }
      storage_ += ']';
    }
  }

  const OutputRequest& request_;
  std::vector<std::string> stored_by_;  // per rank: the entry that says so
  std::string tensors_;
  std::string storage_;
};

class MindFormers : public OutputFormat {
 public:
  std::string_view name() const override { return "mindformers"; }
  std::string_view doc() const override {
    return "MindFormers: one .safetensors file per rank in one folder, and metadata.json";
  }
  std::string_view suffix() const override { return ".safetensors"; }

  OutputSet lay_out(const OutputRequest& request) const override {
    OutputSet set = internal::one_file_per_rank(request, suffix());
    const std::string prefix = request.prefix.empty() ? "" : request.prefix + "-";
    std::vector<std::string> names;
    for (OutputFile& file : set.files) {
      names.push_back(
          fmt::format("{}model-{:07}-{:07}.safetensors", prefix, file.rank, set.files.size()));
      file.path = names.back();
    }
    set.texts.push_back({"metadata.json", MetadataText(request).make(names)});
    return set;
  }
};

}  // namespace

const OutputFormat& output_mindformers() {
  static const MindFormers output;
  return output;
}

}  // namespace tessera
