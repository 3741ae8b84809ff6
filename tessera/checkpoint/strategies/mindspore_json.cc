// MindSpore's strategy as JSON, since 2.0.
//
//   {"current_stage": 1,
//    "parallel_layout_item": {"fc.weight": {"dev_matrix": [2,4], "tensor_map": [-1,0],
//      "tensor_shape": [96,16], "field": 0, "opt_weight_shard_step": 0,
//      "opt_weight_shard_size": 0}},
//    "parallel_strategy_item": {"MatMul_fc.weight": {"stage": 0, "parallel_strategy":
//    [[2,1],[1,4]]}}}
//
// A tensor map may hold lists, which MindSpore itself writes but does not read. Writers of later
// versions add more maps of operators, all called parallel_*_item: they do not say how parameters
// are cut and are stepped over. Any other unknown key is an error, because it may be a misspelling
// or change the cut.
#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/strategies/internal/mindspore_items.h"
#include "tessera/checkpoint/strategy_form.h"
#include "tessera/io/json.h"

namespace tessera {
namespace {

using internal::MindSporeItems;
using internal::MindSporeLayout;

constexpr std::string_view kName = "mindspore json";

const std::vector<std::string>& top_keys() {
  static const std::vector<std::string> keys{"current_stage", "parallel_layout_item",
                                             "parallel_strategy_item"};
  return keys;
}

const std::vector<std::string>& layout_keys() {
  static const std::vector<std::string> keys{"dev_matrix",
                                             "field",
                                             "indices_offset",
                                             "opt_weight_shard_size",
                                             "opt_weight_shard_step",
                                             "param_split_shape",
                                             "tensor_map",
                                             "tensor_shape"};
  return keys;
}

bool is_one_of(std::string_view key, const std::vector<std::string>& keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

bool is_of_operators(std::string_view key) {
  return key.starts_with("parallel_") && key.ends_with("_item") &&
         key.find("layout_item") == std::string_view::npos;
}

std::vector<int64_t> numbers_in(const Json& json) {
  std::vector<int64_t> numbers;
  for (const Json& item : json.items()) numbers.push_back(item.as_int());
  return numbers;
}

MindSporeLayout read_layout(const std::string& name, const Json& json) {
  const ErrorContext context(
      [&] { return fmt::format("reading the layout of '{}'", printable(name)); });
  MindSporeLayout layout;
  layout.name = name;
  for (const auto& [key, value] : json.members())
    require_valid(is_one_of(key, layout_keys()), "the key '{}' is unknown{}", printable(key),
                  suggest(key, layout_keys()));
  layout.device_matrix = numbers_in(json.at("dev_matrix"));
  for (const Json& dim : json.at("tensor_map").items())
    layout.tensor_map.push_back(dim.is_array() ? numbers_in(dim) : std::vector{dim.as_int()});
  const auto number = [&](std::string_view key) {
    const Json* found = json.find(key);
    return found != nullptr ? found->as_int() : 0;
  };
  layout.field = number("field");
  layout.optimizer_step = number("opt_weight_shard_step");
  layout.optimizer_size = number("opt_weight_shard_size");
  if (const Json* rows = json.find("param_split_shape")) layout.split_rows = numbers_in(*rows);
  if (const Json* offsets = json.find("indices_offset")) layout.row_offsets = numbers_in(*offsets);
  if (const Json* shape = json.find("tensor_shape")) layout.shape = Shape(numbers_in(*shape));
  return layout;
}

OperatorStrategy read_operator(const std::string& name, const Json& json) {
  const ErrorContext context([&] { return fmt::format("reading operator '{}'", printable(name)); });
  OperatorStrategy op{name, internal::checked_stage(json.at("stage").as_int(), name), {}};
  const Json* operands = json.find("parallel_strategy");
  if (operands == nullptr || operands->is_null()) return op;
  for (const Json& operand : operands->items()) {
    std::vector<int>& pieces = op.operands.emplace_back();
    for (const int64_t count : numbers_in(operand)) {
      require_valid(count >= 0 && count <= 0x7FFFFFFF, "an operand is cut into {} pieces", count);
      pieces.push_back(static_cast<int>(count));
    }
  }
  return op;
}

MindSporeItems read_items(std::string_view content) {
  MindSporeItems items;
  visit_members(content, {}, [&](const std::string& key, const Json& value) {
    if (key == "current_stage") {
      items.current_stage = value.as_int();
    } else if (key == "parallel_layout_item") {
      for (const auto& [name, layout] : value.members())
        items.layouts.push_back(read_layout(name, layout));
    } else if (key == "parallel_strategy_item") {
      for (const auto& [name, op] : value.members())
        items.operators.push_back(read_operator(name, op));
    } else {
      require_valid(is_of_operators(key), "the key '{}' is unknown{}", printable(key),
                    suggest(key, top_keys()));
    }
  });
  return items;
}

template <typename Numbers>
std::string list(const Numbers& numbers) {
  std::string text;
  for (const auto number : numbers) text += fmt::format("{}{}", text.empty() ? "" : ",", number);
  return "[" + text + "]";
}

std::string layout_json(const MindSporeLayout& layout) {
  std::vector<int64_t> map;
  for (const std::vector<int64_t>& dim : layout.tensor_map) map.push_back(dim[0]);
  std::string text =
      fmt::format("{{\"dev_matrix\":{},\"field\":{}", list(layout.device_matrix), layout.field);
  if (!layout.split_rows.empty() || !layout.row_offsets.empty())
    text += ",\"indices_offset\":" + list(layout.row_offsets);
  text += fmt::format(",\"opt_weight_shard_size\":{},\"opt_weight_shard_step\":{}",
                      layout.optimizer_size, layout.optimizer_step);
  if (!layout.split_rows.empty() || !layout.row_offsets.empty())
    text += ",\"param_split_shape\":" + list(layout.split_rows);
  text += ",\"tensor_map\":" + list(map);
  if (layout.shape) text += ",\"tensor_shape\":" + list(*layout.shape);
  return text + "}";
}

/// JSON has one place per operator, the stages of a pipeline may name one twice.
void require_distinct(const std::vector<OperatorStrategy>& operators) {
  std::vector<std::string_view> names;
  for (const OperatorStrategy& op : operators) names.push_back(op.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end())
    fail(ErrorCode::kUnsupported,
         "the operator '{}' is in two pipeline stages, which {} cannot express; write protobuf "
         "(.ckpt) or layouts.txt instead",
         printable(*twice), kName);
}

class MindSporeJson : public StrategyForm {
 public:
  std::string_view name() const override { return kName; }
  std::string_view suffix() const override { return ".json"; }

  bool recognizes(std::string_view head) const override {
    head = trim(head);
    if (!head.starts_with('{')) return false;
    head = trim(head.substr(1));
    if (!head.starts_with('"')) return false;
    const std::string_view key = head.substr(1, head.find('"', 1) - 1);
    return is_one_of(key, top_keys()) || is_of_operators(key);
  }

  Strategy read(std::string_view content) const override {
    return internal::to_strategy(read_items(content), kName);
  }

  std::string write(const Strategy& strategy) const override {
    const MindSporeItems items = internal::from_strategy(strategy, kName, /*nested=*/false);
    require_distinct(items.operators);
    std::string text =
        fmt::format("{{\"current_stage\":{},\"parallel_layout_item\":{{", items.current_stage);
    std::string_view comma;
    for (const MindSporeLayout& layout : items.layouts) {
      text += fmt::format("{}\"{}\":{}", comma, json_escape(layout.name), layout_json(layout));
      comma = ",";
    }
    text += "},\"parallel_strategy_item\":{";
    comma = "";
    for (const OperatorStrategy& op : items.operators) {
      std::string operands;
      for (const std::vector<int>& pieces : op.operands)
        operands += (operands.empty() ? "" : ",") + list(pieces);
      text += fmt::format("{}\"{}\":{{\"parallel_strategy\":[{}],\"stage\":{}}}", comma,
                          json_escape(op.name), operands, op.stage);
      comma = ",";
    }
    return text + "}}";
  }
};

}  // namespace

const StrategyForm& strategy_mindspore_json() {
  static const MindSporeJson form;
  return form;
}

}  // namespace tessera
