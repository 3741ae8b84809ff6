// Tensors of equal shape that are cut alike have equal keys: what is worked out for one of them
// holds for all.
#pragma once

#include <string>

#include "tessera/checkpoint/strategy.h"

namespace tessera::internal {

std::string cut_key(const ParameterLayout& parameter, const Shape& shape, bool interleave_fields);

}  // namespace tessera::internal
