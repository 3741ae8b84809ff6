// metadata.json: MindFormers' distributed safetensors, a folder of one file per rank and what each
// holds of every tensor. docs/formats/mindformers-metadata.md specifies it.
//
//   {"state_dict_metadata":{"w":{"properties":{"dtype":"Float32",…},"global_shape":[8,4],
//      "axis_fragmentations":[2,1],"layout":{…},
//      "chunk":[{"global_offset":[0],"local_shape":[4,4]},…]}},
//    "storage_data":{"('w', (0,))":[{"file_name":"net-model-0000000-0000002.safetensors",
//      "storage_rank":0}],…}}
//
// A part's offset is its number among the equal parts, row-major. Every file that holds a part
// becomes a piece; parts that several files hold are replicas. Tensors in the files that the
// metadata does not list are whole, and every file's one is a replica.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/formats/internal/shard_files.h"
#include "tessera/checkpoint/formats/internal/shard_key.h"
#include "tessera/layout/layout.h"

namespace tessera {
namespace {

constexpr size_t kMostDims = 64;

Shape read_extents(const Json& json, std::string_view what, int64_t least) {
  const Json::Array& items = json.items();
  require_valid(items.size() <= kMostDims, "{} has {} numbers, more than {}", what, items.size(),
                kMostDims);
  Shape extents;
  for (const Json& item : items) {
    extents.push_back(item.as_int());
    require_valid(extents.back() >= least, "{} holds {}, which is below {}", what, extents.back(),
                  least);
  }
  return extents;
}

int64_t product(const Shape& extents, std::string_view what) {
  int64_t total = 1;
  for (const int64_t extent : extents)
    require_valid(!__builtin_mul_overflow(total, std::max<int64_t>(extent, 1), &total),
                  "{} {} multiplies to more than 2^63", what, to_string(extents));
  return total;
}

DType dtype_called(const std::string& name) {
  const auto lower = [](std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
  };
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    if (lower(name) == lower(std::string(info(dtype).mindspore_name))) return dtype;
  }
  fail(ErrorCode::kUnsupported, "the dtype '{}' is not supported", printable(name));
}

/// A tensor as the metadata describes it.
struct Described {
  Record record;
  Shape parts;  // how many equal parts each dim is cut into
  Shape part;   // the extents of one
  std::vector<int64_t> chunks;
  std::optional<Layout> layout;          // over places
  std::unordered_map<Rank, int> places;  // of the layout's ranks
};

Box box_of_part(const Described& tensor, int64_t number) {
  Box box{Shape(tensor.part.size()), tensor.part};
  for (size_t d = tensor.part.size(); d-- > 0;) {
    box.begin[d] = number % tensor.parts[d] * tensor.part[d];
    number /= tensor.parts[d];
  }
  return box;
}

/// The number of a chunk. One number is that; several zeros are what a whole tensor may have.
int64_t part_number(const Json& chunk, const Described& tensor, int64_t count) {
  const Shape offset = read_extents(chunk.at("global_offset"), "a chunk's global_offset", 0);
  const bool is_zero = std::ranges::all_of(offset, [](int64_t number) { return number == 0; });
  if (offset.size() != 1 && !(is_zero && count == 1))
    fail(ErrorCode::kUnsupported,
         "a chunk has the global_offset {}; one number, which of the {} parts it is, is known",
         to_string(offset), count);
  const int64_t number = offset.empty() ? 0 : offset[0];
  if (number >= count)
    fail(ErrorCode::kCorruptData, "a chunk has the global_offset {} but {} cuts {} into {} parts",
         number, to_string(tensor.parts), describe(tensor.record), count);
  return number;
}

void read_layout(const Json& json, Described& tensor) {
  if (json.is_null() || json.at("interleaved_parallel").as_bool()) return;  // parts in a rank's own
  const Shape matrix = read_extents(json.at("device_matrix"), "the device_matrix", 1);
  const Json::Array& ranks = json.at("rank_list").items();
  require_valid(product(matrix, "the device_matrix") == static_cast<int64_t>(ranks.size()),
                "the device_matrix {} has a rank_list of {} ranks", to_string(matrix),
                ranks.size());
  TensorMap map;
  for (const int64_t size : matrix) map.device_matrix.push_back(static_cast<int>(size));
  const Json::Array& dims = json.at("tensor_map").items();
  require_valid(dims.size() == tensor.parts.size(), "the tensor_map has {} dims but {} has {}",
                dims.size(), describe(tensor.record), tensor.parts.size());
  for (const Json& dim : dims) {
    Shape axes;
    if (dim.is_array()) {
      axes = read_extents(dim, "the tensor_map", -1);
    } else {
      axes.push_back(dim.as_int());
    }
    std::vector<int>& entry = map.dims.emplace_back();
    for (const int64_t axis : axes) {
      require_valid(axis >= -1 && axis < static_cast<int64_t>(matrix.size()),
                    "the tensor_map holds {} but the device_matrix has {} dims", axis,
                    matrix.size());
      entry.push_back(static_cast<int>(axis));
    }
  }
  tensor.layout = from_tensor_map(map);
  for (size_t place = 0; place < ranks.size(); ++place) {
    const int64_t rank = ranks[place].as_int();
    require_valid(rank >= 0 && rank < INT32_MAX, "the rank_list holds {}", rank);
    tensor.places.emplace(static_cast<Rank>(rank), static_cast<int>(place));
  }
}

Described read_tensor(const std::string& name, const Json& json) {
  Described tensor;
  Record& record = tensor.record;
  record.name = name;
  record.dtype = dtype_called(json.at("properties").at("dtype").as_string());
  record.shape = read_extents(json.at("global_shape"), "the global_shape", 0);
  int64_t bytes = product(record.shape, "the global_shape");
  require_valid(!__builtin_mul_overflow(bytes, byte_size(record.dtype), &bytes),
                "it has more than 2^63 bytes");
  tensor.parts = read_extents(json.at("axis_fragmentations"), "axis_fragmentations", 1);
  require_valid(tensor.parts.size() == record.shape.size(), "{} is cut by {}, which has {} dims",
                describe(record), to_string(tensor.parts), tensor.parts.size());
  const int64_t count = product(tensor.parts, "axis_fragmentations");
  for (size_t d = 0; d < record.shape.size(); ++d) {
    require_valid(record.shape[d] % tensor.parts[d] == 0,
                  "dim {} of {} is cut into {} parts, which are not equal", d, describe(record),
                  tensor.parts[d]);
    tensor.part.push_back(record.shape[d] / tensor.parts[d]);
  }
  std::set<int64_t> seen;
  for (const Json& chunk : json.at("chunk").items()) {
    tensor.chunks.push_back(part_number(chunk, tensor, count));
    const Shape local = read_extents(chunk.at("local_shape"), "a chunk's local_shape", 0);
    if (local != tensor.part)
      fail(ErrorCode::kCorruptData, "chunk {} has the local_shape {} but {} cut by {} has {}",
           tensor.chunks.back(), to_string(local), describe(record), to_string(tensor.parts),
           to_string(tensor.part));
    require_valid(seen.insert(tensor.chunks.back()).second, "chunk {} is listed twice",
                  tensor.chunks.back());
  }
  require_valid(!tensor.chunks.empty(), "it has no chunk");
  if (const Json* layout = json.find("layout")) read_layout(*layout, tensor);
  return tensor;
}

/// Opens the files of the metadata one after the other and makes pieces of what they hold.
class MindFormersReader {
 public:
  MindFormersReader(std::filesystem::path folder, const OpenOptions& options)
      : folder_(std::move(folder)), options_(options) {}

  Checkpoint read(const Json& root) {
    const Json::Object& storage = root.at("storage_data").members();
    for (const auto& [key, value] : storage) storage_.emplace(key, &value);
    for (const auto& [name, json] : root.at("state_dict_metadata").members()) {
      const ErrorContext context(
          [&tensor = name] { return fmt::format("reading '{}'", printable(tensor)); });
      add_tensor(read_tensor(name, json));
    }
    if (!storage_.empty())
      fail(ErrorCode::kCorruptData, "storage_data lists {}, which state_dict_metadata does not",
           printable(storage_.begin()->first));
    add_unlisted();
    for (const auto& [path, note] : missing_) joined_.catalog().deviations.push_back(note);
    require_valid(!joined_.catalog().records.empty(), "the metadata lists no tensor");
    return joined_.take();
  }

 private:
  struct File {
    int index = 0;
    Catalog catalog;
    std::vector<bool> used;  // of the records in `catalog`
  };

  void add_tensor(Described tensor) {
    for (const int64_t number : tensor.chunks) {
      const std::string key = internal::shard_key(tensor.record.name, {number});
      auto stored = storage_.find(key);
      if (stored == storage_.end() && number == 0 && !tensor.part.empty())
        stored =
            storage_.find(internal::shard_key(tensor.record.name, Shape(tensor.part.size(), 0)));
      if (stored == storage_.end())
        fail(ErrorCode::kCorruptData, "storage_data does not say where the chunk {} is",
             printable(key));
      const size_t before = tensor.record.pieces.size();
      std::string lost;
      for (const Json& entry : stored->second->items()) add_piece(tensor, number, entry, lost);
      if (stored->second->items().empty())
        fail(ErrorCode::kCorruptData, "storage_data lists no file for {}", printable(key));
      const bool is_there = tensor.record.pieces.size() > before || byte_count(tensor.record) == 0;
      if (!is_there)
        fail(ErrorCode::kNotFound, "the elements {} are in {} only, which is not there",
             to_string(box_of_part(tensor, number)), printable(lost));
      storage_.erase(stored);
    }
    joined_.catalog().records.push_back(std::move(tensor.record));
  }

  void add_piece(Described& tensor, int64_t number, const Json& entry, std::string& lost) {
    const std::string& name = entry.at("file_name").as_string();
    internal::check_shard_name(name, tensor.record.name);
    const int64_t rank = entry.at("storage_rank").as_int();
    require_valid(rank >= 0 && rank < INT32_MAX, "storage_rank {} is no rank", rank);
    const Box box = box_of_part(tensor, number);
    check_layout(tensor, static_cast<Rank>(rank), box);
    File* file = file_called(name);
    if (file == nullptr) {
      lost = name;
      return;
    }
    const std::optional<size_t> index = file->catalog.index_of(tensor.record.name);
    if (!index)
      fail(ErrorCode::kCorruptData, "the metadata puts it into {}, which lacks it",
           printable(name));
    const Record* found = &file->catalog.records[*index];
    if (found->dtype != tensor.record.dtype || found->shape != tensor.part)
      fail(ErrorCode::kCorruptData, "the metadata says {}{} but {} holds {}",
           to_string(tensor.record.dtype), to_string(tensor.part), printable(name),
           describe(*found));
    if (file->used[*index])
      fail(ErrorCode::kCorruptData, "the metadata names what {} holds twice", printable(name));
    file->used[*index] = true;
    for (const Piece& stored : found->pieces) {
      Piece piece = make_piece(tensor.record, stored.encoding, stored.bytes, box);
      piece.file = file->index;
      tensor.record.pieces.push_back(std::move(piece));
    }
  }

  /// The layout must put the same part on the rank that the chunk's number says.
  static void check_layout(const Described& tensor, Rank rank, const Box& box) {
    const auto place = tensor.places.find(rank);
    if (!tensor.layout || place == tensor.places.end()) return;
    const Box wanted = local_box(*tensor.layout, tensor.record.shape, place->second);
    if (wanted != box)
      fail(ErrorCode::kCorruptData, "rank {} stores {} by its chunk but {} by the layout", rank,
           to_string(box), to_string(wanted));
  }

  /// The file, opened once, or null when it is not there.
  File* file_called(const std::string& name) {
    const auto known = files_.find(name);
    if (known != files_.end()) return &known->second;
    if (missing_.contains(name)) return nullptr;
    const std::filesystem::path path = folder_ / name;
    if (!options_.file_system().exists(path)) {
      missing_.emplace(name, fmt::format("missing_file: {} is not there; other files hold replicas "
                                         "of all that it held",
                                         printable(name)));
      return nullptr;
    }
    Checkpoint one = internal::open_shard(path, options_);
    File file{joined_.file_count(), std::move(one.catalog), {}};
    file.used.resize(file.catalog.records.size());
    one.catalog = {};
    one.catalog.files = file.catalog.files;
    one.catalog.metadata = file.catalog.metadata;
    one.catalog.deviations = file.catalog.deviations;
    joined_.add_file(std::move(one));
    return &files_.emplace(name, std::move(file)).first->second;
  }

  void add_unlisted() {
    std::map<std::string, Record> found;
    std::set<std::string> listed;
    for (const Record& record : joined_.catalog().records) listed.insert(record.name);
    for (const auto& [name, file] : files_) {
      for (size_t i = 0; i < file.used.size(); ++i) {
        if (file.used[i]) continue;
        const Record& record = file.catalog.records[i];
        if (listed.contains(record.name))
          fail(ErrorCode::kCorruptData, "{} holds a part of '{}' that storage_data does not list",
               printable(name), printable(record.name));
        auto [other, is_new] = found.try_emplace(record.name, record);
        if (is_new) other->second.pieces.clear();
        if (other->second.dtype != record.dtype || other->second.shape != record.shape)
          fail(ErrorCode::kCorruptData,
               "'{}', which the metadata does not list, is {} in {} but {} in another file",
               printable(record.name), describe(record), printable(name), describe(other->second));
        for (Piece piece : record.pieces) {
          piece.file = file.index;
          other->second.pieces.push_back(std::move(piece));
        }
      }
    }
    for (auto& [name, record] : found) joined_.catalog().records.push_back(std::move(record));
  }

  std::filesystem::path folder_;
  const OpenOptions& options_;
  std::unordered_map<std::string, const Json*> storage_;  // what is not yet used of it
  std::map<std::string, File> files_;
  std::map<std::string, std::string> missing_;  // and the note about it
  internal::JoinedCheckpoint joined_;
};

class MindFormers : public CheckpointFormat {
 public:
  std::string_view name() const override { return "mindformers metadata"; }
  std::string_view suffix() const override { return "metadata.json"; }
  bool recognizes(const Probe& probe) const override {
    if (!internal::begins_like_object(probe.head)) return false;
    return probe.head.find("\"state_dict_metadata\"") != std::string::npos ||
           probe.head.find("\"storage_data\"") != std::string::npos;
  }

  Checkpoint open(std::shared_ptr<const RandomAccessFile> file, const Probe& probe,
                  const OpenOptions& options) const override {
    const Json root = internal::read_index(*file);
    return MindFormersReader(probe.path.parent_path(), options).read(root);
  }
};

}  // namespace

const CheckpointFormat& format_mindformers() {
  static const MindFormers format;
  return format;
}

}  // namespace tessera
