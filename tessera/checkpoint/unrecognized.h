// Files that people take for checkpoints: says what they are and what to do instead.
#pragma once

#include <optional>
#include <string>

#include "tessera/checkpoint/format.h"

namespace tessera {

/// What the file is, where its head shows it to be something known that is no checkpoint.
std::optional<std::string> known_foreign_content(const Probe& probe);

}  // namespace tessera
