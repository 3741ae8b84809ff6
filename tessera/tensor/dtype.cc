#include "tessera/tensor/dtype.h"

#include <array>
#include <string>

namespace tessera {
namespace {

// In the order of the enumeration.
constexpr std::array<DTypeInfo, kDTypeCount> kTable = {{
    {"bool", "Bool", 1, false, false},
    {"u8", "UInt8", 1, false, false},
    {"u16", "UInt16", 2, false, false},
    {"u32", "UInt32", 4, false, false},
    {"u64", "UInt64", 8, false, false},
    {"i4x2", "Int4", 1, false, true},
    {"i8", "Int8", 1, false, true},
    {"i16", "Int16", 2, false, true},
    {"i32", "Int32", 4, false, true},
    {"i64", "Int64", 8, false, true},
    {"f16", "Float16", 2, true, true},
    {"bf16", "BFloat16", 2, true, true},
    {"f32", "Float32", 4, true, true},
    {"f64", "Float64", 8, true, true},
    {"c64", "Complex64", 8, false, true},
    {"c128", "Complex128", 16, false, true},
}};

}  // namespace

const DTypeInfo& info(DType dtype) {
  return kTable.at(static_cast<size_t>(dtype));
}

std::optional<DType> find_dtype(std::string_view name) {
  for (size_t i = 0; i < kTable.size(); ++i)
    if (kTable[i].name == name) return static_cast<DType>(i);
  return {};
}

DType parse_dtype(std::string_view name) {
  if (const auto dtype = find_dtype(name)) return *dtype;
  std::string known;
  for (const DTypeInfo& row : kTable) known += (known.empty() ? "" : ", ") + std::string(row.name);
  fail(ErrorCode::kInvalidArgument, "there is no dtype '{}'; known: {}", name, known);
}

}  // namespace tessera
