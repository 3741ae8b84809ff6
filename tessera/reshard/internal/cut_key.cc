#include "tessera/reshard/internal/cut_key.h"

#include <fmt/core.h>

namespace tessera::internal {

std::string cut_key(const ParameterLayout& parameter, const Shape& shape, bool interleave_fields) {
  std::string key = fmt::format(
      "{} {} {} {} {}", to_string(shape),
      parameter.any_ndim ? std::string("...") : to_string(parameter.layout),
      parameter.optimizer_step, parameter.optimizer_size, interleave_fields ? parameter.field : 0);
  for (const int64_t rows : parameter.split_rows) key += fmt::format(" {}", rows);
  return key;
}

}  // namespace tessera::internal
