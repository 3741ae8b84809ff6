// MindSpore's strategy file: one protobuf message ParallelStrategyMap.
//
//   1 current_stage; 2 operators {1 name, 2 {1 stage, 2 operands {1 pieces}}};
//   3 parameters {1 name, 2 layout {1 device matrix, 2 tensor map, 3 rows, 4 offsets, each {1
//   numbers}; 5 field, 6 step and 7 size of optimizer sharding}}
//
// Several tensor maps are one list of device dims per tensor dim; an empty one says nothing (the
// second one of a 1-D tensor). One tensor map is one device dim per tensor dim. Files of MindSpore
// before 1.3 have no fields 6 and 7. Unknown fields are stepped over, except in a layout: a new one
// there would change how the tensor is cut, as 6 and 7 did.
#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/strategies/internal/mindspore_items.h"
#include "tessera/checkpoint/strategies/internal/wire_text.h"
#include "tessera/checkpoint/strategy_form.h"
#include "tessera/io/memory_file_system.h"

namespace tessera {
namespace {

using internal::bytes_of;
using internal::for_each_field;
using internal::MindSporeItems;
using internal::MindSporeLayout;
using internal::number_of;
using internal::numbers_in;
using internal::put_bytes;
using internal::put_number;
using internal::put_numbers;

constexpr uint64_t kMostNameBytes = 1 << 16;
constexpr std::string_view kName = "mindspore protobuf";

MindSporeLayout read_layout(WireWindow& window, ByteRange range, const std::string& name) {
  MindSporeLayout layout;
  int seen[8] = {};
  std::vector<std::vector<int64_t>> maps;
  for_each_field(window, range, [&](const WireField& field) {
    if (field.number > 7)
      fail(
          ErrorCode::kUnsupported,
          "the layout of '{}' has the field {} at byte {}, which is newer than this reader and may "
          "change how the tensor is cut",
          printable(name), field.number, field.offset);
    require_valid(field.number == 2 || ++seen[field.number] == 1,
                  "the layout of '{}' has field {} twice, the second time at byte {}",
                  printable(name), field.number, field.offset);
    const auto numbers = [&](std::string_view what) {
      return numbers_in(window, bytes_of(field, what), what);
    };
    switch (field.number) {
      case 1:
        layout.device_matrix = numbers("a device matrix");
        break;
      case 2:
        maps.push_back(numbers("a tensor map"));
        break;
      case 3:
        layout.split_rows = numbers("a param_split_shape");
        break;
      case 4:
        layout.row_offsets = numbers("an indices_offset");
        break;
      case 5:
        layout.field = number_of(field, "a field size");
        break;
      case 6:
        layout.optimizer_step = number_of(field, "an opt_weight_shard_step");
        break;
      default:
        layout.optimizer_size = number_of(field, "an opt_weight_shard_size");
    }
  });
  require_valid(seen[1] == 1 && !maps.empty(), "the layout of '{}' at byte {} lacks its {}",
                printable(name), range.offset, seen[1] == 1 ? "tensor map" : "device matrix");
  if (maps.size() > 1) {
    for (std::vector<int64_t>& map : maps)
      if (!map.empty()) layout.tensor_map.push_back(std::move(map));
  } else {
    for (const int64_t from_right : maps[0]) layout.tensor_map.push_back({from_right});
  }
  return layout;
}

/// An item of the map: {1 name, 2 content}.
struct Item {
  std::string name;
  ByteRange content;
};

Item read_item(WireWindow& window, const WireField& item, std::string_view what) {
  Item found;
  bool has_name = false, has_content = false;
  for_each_field(window, bytes_of(item, what), [&](const WireField& field) {
    if (field.number == 1) {
      found.name = window.text(bytes_of(field, "a name"), kMostNameBytes, "a name");
      has_name = true;
    } else if (field.number == 2) {
      require_valid(!has_content, "{} '{}' has two contents, the second at byte {}", what,
                    printable(found.name), field.offset);
      found.content = bytes_of(field, what);
      has_content = true;
    }
  });
  require_valid(has_name && has_content, "{} at byte {} lacks its {}", what, item.offset,
                has_name ? "content" : "name");
  return found;
}

OperatorStrategy read_operator(WireWindow& window, Item item) {
  OperatorStrategy op{std::move(item.name), 0, {}};
  for_each_field(window, item.content, [&](const WireField& field) {
    if (field.number == 1) {
      op.stage = internal::checked_stage(number_of(field, "a pipeline stage"), op.name);
    } else if (field.number == 2) {
      std::vector<int>& pieces = op.operands.emplace_back();
      for (const int64_t count :
           numbers_in(window, bytes_of(field, "an operand"), "the pieces of an operand")) {
        require_valid(count >= 0 && count <= 0x7FFFFFFF,
                      "operator '{}' cuts an operand into {} pieces", printable(op.name), count);
        pieces.push_back(static_cast<int>(count));
      }
    }
  });
  return op;
}

MindSporeItems read_items(std::string_view content) {
  const std::unique_ptr<RandomAccessFile> file = memory_file(std::string(content), "strategy");
  WireWindow window(*file);
  MindSporeItems items;
  for_each_field(window, {0, content.size()}, [&](const WireField& field) {
    if (field.number == 1) {
      items.current_stage = number_of(field, "the current stage");
    } else if (field.number == 2) {
      items.operators.push_back(read_operator(window, read_item(window, field, "an operator")));
    } else if (field.number == 3) {
      Item item = read_item(window, field, "a parameter");
      MindSporeLayout layout = read_layout(window, item.content, item.name);
      layout.name = std::move(item.name);
      items.layouts.push_back(std::move(layout));
    }
  });
  return items;
}

std::string layout_message(const MindSporeLayout& layout) {
  std::string out;
  put_numbers(1, layout.device_matrix, out);
  const bool nested = std::any_of(layout.tensor_map.begin(), layout.tensor_map.end(),
                                  [](const auto& dim) { return dim.size() > 1; });
  if (nested) {
    for (const std::vector<int64_t>& dim : layout.tensor_map) put_numbers(2, dim, out);
    if (layout.tensor_map.size() == 1) put_bytes(2, "", out);
  } else {
    std::vector<int64_t> map;
    for (const std::vector<int64_t>& dim : layout.tensor_map) map.push_back(dim[0]);
    put_numbers(2, map, out);
  }
  put_numbers(3, layout.split_rows, out);
  put_numbers(4, layout.row_offsets, out);
  put_number(5, layout.field, out);
  put_number(6, layout.optimizer_step, out);
  put_number(7, layout.optimizer_size, out);
  return out;
}

class MindSporeProto : public StrategyForm {
 public:
  std::string_view name() const override { return kName; }
  std::string_view suffix() const override { return ".ckpt"; }

  bool recognizes(std::string_view head) const override;

  Strategy read(std::string_view content) const override {
    return internal::to_strategy(read_items(content), kName);
  }

  std::string write(const Strategy& strategy) const override {
    const MindSporeItems items = internal::from_strategy(strategy, kName, /*nested=*/true);
    std::string out;
    put_number(1, items.current_stage, out);
    for (const OperatorStrategy& op : items.operators) {
      std::string content, item;
      put_number(1, op.stage, content);
      for (const std::vector<int>& pieces : op.operands) put_numbers(2, pieces, content);
      put_bytes(1, op.name, item);
      put_bytes(2, content, item);
      put_bytes(2, item, out);
    }
    for (const MindSporeLayout& layout : items.layouts) {
      std::string item;
      put_bytes(1, layout.name, item);
      put_bytes(2, layout_message(layout), item);
      put_bytes(3, item, out);
    }
    return out;
  }
};

/// A varint at `at`, or nothing where the head ends or it is too long.
std::optional<uint64_t> varint_at(std::string_view head, size_t& at) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && at < head.size(); shift += 7) {
    const auto byte = static_cast<unsigned char>(head[at++]);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  return {};
}

/// An item of a map begins with a name. An ONNX model has texts in these places.
bool begins_with_item(std::string_view head, size_t at) {
  const std::optional<uint64_t> item = varint_at(head, at);
  if (!item || at >= head.size() || head[at++] != 0x0A) return false;
  const std::optional<uint64_t> name = varint_at(head, at);
  return name && *name <= *item;
}

bool MindSporeProto::recognizes(std::string_view head) const {
  bool has_stage = false;
  for (size_t at = 0; at < head.size();) {
    const std::optional<uint64_t> key = varint_at(head, at);
    if (!key || *key >> 3 == 0) return false;
    if (*key == 0x12 || *key == 0x1A) return begins_with_item(head, at);
    has_stage = has_stage || *key == 0x08;
    if (*key >> 3 <= 3 && *key != 0x08) return false;
    // Steps over the field.
    const uint64_t type = *key & 7;
    std::optional<uint64_t> size = type == 1 ? 8 : 4;
    if (type == 0 || type == 2) size = varint_at(head, at);
    if (!size || type == 3 || type == 4 || type > 5) return false;
    if (type == 0) size = 0;
    if (*size > head.size() - at) return false;
    at += *size;
  }
  return has_stage;
}

}  // namespace

const StrategyForm& strategy_mindspore_proto() {
  static const MindSporeProto form;
  return form;
}

}  // namespace tessera
