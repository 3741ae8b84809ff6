// Options behind a name, as models, optimizers and schedules have them:
//
//   mlp(hidden=[128],activation=leaky_relu)      momentum(learning_rate=cosine_decay(min=1e-4))
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tessera/graph/attrs.h"

namespace tessera {

/// "name(inside)" or "name" cut in two. Throws kInvalidArgument naming `what` ("model") where the
/// ')' is missing.
struct NamedOptions {
  std::string_view name;
  std::string_view inside;
};
NamedOptions split_options(std::string_view what, std::string_view text);

/// Reads "option=value,…" over the options' defaults; strings need no quotes, numbers with a point
/// may be written as integers. Commas inside brackets belong to the value. Throws kInvalidArgument
/// naming `owner` ("model 'mlp'") and what it has.
Attrs parse_options(std::string_view owner, std::string_view inside,
                    std::span<const AttrDef> options);

/// The name, with those options that differ from their defaults.
std::string options_to_string(std::string_view name, const Attrs& values,
                              std::span<const AttrDef> options);

}  // namespace tessera
