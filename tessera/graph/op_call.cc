#include "tessera/graph/op_call.h"

#include <fmt/format.h>

namespace tessera {

std::string to_string(const TensorType& type) {
  std::string text = fmt::format("{}{}", to_string(type.dtype), to_string(type.global));
  if (!type.is_whole()) text += " at " + to_string(type.box);
  return text;
}

}  // namespace tessera
