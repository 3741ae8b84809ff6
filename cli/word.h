// A word of the program: "tessera eval …". Each word is one file of cli/words, which defines one
// Word.
#pragma once

#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments.h"
#include "tessera/base/error.h"

namespace tessera::cli {

/// The command line is wrong in a way that its parser cannot see: exit status 2.
class UsageError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Thrown by a word that has done its work, to end with another exit status than 0.
struct ExitStatus {
  int status = 0;
};

/// Requires `condition` of a value on the command line; throws UsageError otherwise.
template <typename... Args>
void require_usage(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) throw UsageError(fmt::format(format, std::forward<Args>(args)...));
}

/// Calls `read` on text from the command line: what it finds invalid there is a wrong command line.
template <typename Read>
auto read_usage(const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInvalidArgument) throw UsageError(error.what());
    throw;
  }
}

struct Word {
  std::string_view name;  // filled in by the registry: the name of the file
  std::string_view doc;   // one line
  std::vector<std::string_view> examples;
  /// Declares the arguments; the function it returns does the work once they are parsed and throws
  /// tessera::Error when the input is wrong.
  std::function<std::function<void()>(Arguments&)> declare;
};

/// Every word, sorted by name.
std::span<const Word> all_words();

}  // namespace tessera::cli

/// Begins the definition of the word `word_name`. The build lists the files of cli/words.
#define TESSERA_WORD(word_name) ::tessera::cli::Word define_word_##word_name()
