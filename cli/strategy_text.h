// Strategies as the program prints them.
#pragma once

#include <filesystem>
#include <string>

#include "tessera/checkpoint/strategy.h"

namespace tessera::cli {

/// "363 parameters on 8 ranks in 2 pipeline stages".
std::string describe(const Strategy& strategy);
/// "{dp=2,tp=4} [tp, -] opt=2 step=4": how one parameter is cut.
std::string cut_text(const ParameterLayout& parameter);

/// The text of layouts.txt, sorted, with a pattern for names that differ in numbers only and are
/// cut alike; `all`: a line per parameter in the order of the file.
std::string listing(const Strategy& strategy, bool all, bool operators);
std::string strategy_json(const Strategy& strategy);

/// Throws kInvalidArgument where a file of this name is and may not be replaced.
void require_new_file(const std::filesystem::path& path, bool force);

}  // namespace tessera::cli
