// The program around the words: parsing, exit codes, and what shell completion needs to know.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/word.h"

namespace tessera::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitInput = 1;      // the input is wrong: a file, a name, a value
inline constexpr int kExitDifferent = 1;  // diff: no error, but the checkpoints are not equal
inline constexpr int kExitUsage = 2;      // the command line is wrong
inline constexpr int kExitInternal = 3;   // a fault of Tessera's own

/// Parses the command line and runs the word it names; errors of the command line are printed here,
/// all others are thrown.
int parse_and_run(int argc, const char* const* argv, std::string_view version);

struct OptionName {
  std::string name;  // "--batch"
  std::string doc;
  bool takes_value = false;
};
/// The long options of a word, in the order of its help.
std::vector<OptionName> option_names(const Word& word);

}  // namespace tessera::cli
