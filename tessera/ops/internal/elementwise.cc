#include "tessera/ops/internal/elementwise.h"

namespace tessera::internal {
namespace {

bool is_plain_integer(DType dtype) {
  return dtype == DType::kU8 || (dtype >= DType::kI8 && dtype <= DType::kI64);
}

}  // namespace

DType promote(DType a, DType b) {
  if (a == b && a != DType::kBool) return a;
  if (a == DType::kBool && b != DType::kBool) return b;
  if (b == DType::kBool && a != DType::kBool) return a;
  const DType narrow = byte_size(a) < byte_size(b) ? a : b;
  const DType wide = byte_size(a) < byte_size(b) ? b : a;
  if (info(a).is_floating && info(b).is_floating)
    return byte_size(a) == byte_size(b) ? DType::kF32 : wide;
  if (info(a).is_floating && is_plain_integer(b)) return a;
  if (info(b).is_floating && is_plain_integer(a)) return b;
  if (is_plain_integer(a) && is_plain_integer(b))
    return byte_size(narrow) == byte_size(wide) ? DType::kI16 : wide;  // u8 with i8
  fail(ErrorCode::kUnsupported, "{} and {} do not mix; cast one of them", to_string(a),
       to_string(b));
}

std::vector<DType> promoted_dtype(const OpCall& call) {
  return {promote(call.operands[0].dtype, call.operands[1].dtype)};
}

}  // namespace tessera::internal
