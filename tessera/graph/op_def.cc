#include "tessera/graph/op_def.h"

#include <fmt/format.h>

#include <algorithm>

#include "tessera/base/shown.h"
#include "tessera/base/text.h"
#include "tessera/graph/internal/inferred_types.h"

namespace tessera {
namespace {

std::vector<std::string> attr_names(const OpDef& op) {
  std::vector<std::string> names;
  for (const AttrDef& def : op.attrs) names.emplace_back(def.name);
  return names;
}

/// `given` as the type of `def`'s default: an integer also counts as a number and as a list of one.
Attr converted(const OpDef& op, const AttrDef& def, const Attr& given) {
  if (given.index() == def.default_value.index()) return given;
  if (const auto* integer = std::get_if<int64_t>(&given)) {
    if (std::holds_alternative<double>(def.default_value)) return static_cast<double>(*integer);
    if (std::holds_alternative<Ints>(def.default_value)) return Ints{*integer};
  }
  fail(ErrorCode::kInvalidArgument, "attribute '{}' of op '{}' is {}, {}, but wants {}", def.name,
       op.name, to_string(given), type_name(given), type_name(def.default_value));
}

/// The definition of operand `i`, where the last may be variadic.
const OperandDef& operand_def(const OpDef& op, size_t i) {
  return op.operands[std::min(i, op.operands.size() - 1)];
}

void check_count(const OpDef& op, size_t count) {
  const auto least = static_cast<size_t>(std::count_if(
      op.operands.begin(), op.operands.end(), [](const OperandDef& def) { return !def.optional; }));
  const bool open = !op.operands.empty() && op.operands.back().variadic;
  const size_t most = op.operands.size();
  if (count >= least && (open || count <= most)) return;
  std::vector<std::string> names;
  for (const OperandDef& def : op.operands)
    names.push_back(fmt::format("{}{}", def.name, def.optional ? " (optional)" : ""));
  fail(ErrorCode::kInvalidArgument, "op '{}' got {} operands and wants {}{}: {}", op.name, count,
       least, open ? " or more" : (most > least ? fmt::format(" to {}", most) : ""),
       join(names, ", "));
}

void check_dtypes(const OpDef& op, std::span<const TensorType> operands) {
  const TensorType* first = nullptr;
  for (size_t i = 0; i < operands.size(); ++i) {
    const OperandDef& def = operand_def(op, i);
    require(accepts(def.dtypes, operands[i].dtype), "operand {} ('{}') of op '{}' is {}, wants {}",
            i, def.name, op.name, shown(operands[i]), shown(def.dtypes));
    if (def.dtypes == DTypes::kIndex || def.dtypes == DTypes::kMixed) continue;
    if (first == nullptr) first = &operands[i];
    require(first->dtype == operands[i].dtype,
            "operand {} ('{}') of op '{}' is {} but the one before it is {}; cast one of them", i,
            def.name, op.name, shown(operands[i]), shown(*first));
  }
}

bool is_integer(DType dtype) {
  return dtype >= DType::kU8 && dtype <= DType::kI64 && dtype != DType::kI4x2;
}

}  // namespace

std::string_view to_string(DTypes dtypes) {
  switch (dtypes) {
    case DTypes::kFloat:
      return "f16, bf16, f32 or f64";
    case DTypes::kNumber:
      return "a floating-point or integer dtype";
    case DTypes::kMixed:
      return "a floating-point or integer dtype or bool";
    case DTypes::kAny:
      return "any dtype";
    case DTypes::kIndex:
      return "i32 or i64";
  }
  return "unknown";
}

bool accepts(DTypes dtypes, DType dtype) {
  switch (dtypes) {
    case DTypes::kFloat:
      return info(dtype).is_floating;
    case DTypes::kNumber:
      return info(dtype).is_floating || is_integer(dtype);
    case DTypes::kMixed:
      return info(dtype).is_floating || is_integer(dtype) || dtype == DType::kBool;
    case DTypes::kAny:
      return true;
    case DTypes::kIndex:
      return dtype == DType::kI32 || dtype == DType::kI64;
  }
  return false;
}

Attrs complete_attrs(const OpDef& op, Attrs attrs) {
  for (const auto& [name, value] : attrs) {
    const auto same = [&name = name](const AttrDef& def) { return def.name == name; };
    if (std::any_of(op.attrs.begin(), op.attrs.end(), same)) continue;
    fail(ErrorCode::kInvalidArgument, "op '{}' has no attribute '{}'{}", op.name, printable(name),
         suggest(name, attr_names(op)));
  }
  for (const AttrDef& def : op.attrs) {
    const auto given = attrs.find(def.name);
    require(given != attrs.end() || !def.required, "op '{}' needs attribute '{}', {}: {}", op.name,
            def.name, type_name(def.default_value), def.doc);
    if (given == attrs.end())
      attrs.emplace(def.name, def.default_value);
    else
      given->second = converted(op, def, given->second);
  }
  return attrs;
}

ShardingRule rule_of(const OpDef& op, const OpCall& call) {
  std::vector<Shape> shapes;
  for (const TensorType& operand : call.operands) shapes.push_back(operand.global);
  return parse_rule(op.rule(call), shapes);
}

namespace {

std::vector<TensorType> infer(const OpDef& op, std::span<const TensorType> operands,
                              const Attrs& attrs) {
  check_count(op, operands.size());
  check_dtypes(op, operands);
  const OpCall call{operands, {}, attrs, {}};
  if (op.check != nullptr) op.check(call);
  const std::vector<Shape> shapes = result_shapes(rule_of(op, call));
  const std::vector<DType> dtypes = op.result_dtypes != nullptr
                                        ? op.result_dtypes(call)
                                        : std::vector<DType>(shapes.size(), operands[0].dtype);
  std::vector<TensorType> results;
  for (size_t i = 0; i < shapes.size(); ++i) results.emplace_back(dtypes[i], shapes[i]);
  return results;
}

}  // namespace

std::vector<TensorType> infer_results(const OpDef& op, std::span<const TensorType> operands,
                                      const Attrs& attrs) {
  if (op.number == 0) return infer(op, operands, attrs);
  thread_local internal::InferredTypes inferred;
  return inferred.of(op, operands, attrs, infer);
}

std::vector<Tensor> evaluate(const OpDef& op, std::span<const Tensor> operands,
                             const Attrs& attrs) {
  std::vector<Tensor> plain;
  std::vector<TensorType> types;
  for (const Tensor& operand : operands) {
    plain.push_back(operand.contiguous());
    types.emplace_back(operand.dtype(), operand.shape());
  }
  const Attrs complete = complete_attrs(op, attrs);
  const std::vector<TensorType> inferred = infer_results(op, types, complete);
  std::vector<Tensor> results;
  for (const TensorType& type : inferred) results.emplace_back(type.dtype, type.global);
  op.kernels.back().function({types, inferred, complete, {}}, plain, results);
  return results;
}

}  // namespace tessera
