// How MindFormers' metadata.json names a part of a tensor: as Python prints a tuple.
//
//   ('decoder.layers.0.weight', (3,))
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tessera/tensor/shape.h"

namespace tessera::internal {

std::string shard_key(std::string_view name, const Shape& offset);

}  // namespace tessera::internal
