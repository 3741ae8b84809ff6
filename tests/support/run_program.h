// Runs the program as a user does, for end-to-end tests.
#pragma once

#include <string>
#include <vector>

namespace tessera::testing {

struct Outcome {
  int status = 0;  // exit status, or 128 + signal
  std::string out;
  std::string err;
};

/// Runs the built `tessera` with these arguments, standard input empty, and waits.
Outcome run_tessera(const std::vector<std::string>& arguments);
/// Runs any program (argv[0] is looked up in PATH).
Outcome run_program(const std::vector<std::string>& argv);
/// Runs what a user types; "$TESSERA_PROGRAM" is the built `tessera`.
inline Outcome shell(const std::string& command) {
  return run_program({"bash", "-c", command});
}

}  // namespace tessera::testing
