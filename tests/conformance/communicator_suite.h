// What every communicator must do, whatever moves the bytes: each case runs on all ranks of a world
// and throws where something is not as it must be. What is expected comes from formulas.
//
//   run_world({.backend = "local", .ranks = 3}, [](Communicator& world) {
//     for (const auto& test : communicator_suite()) test.run(world);
//   });
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "tessera/base/error.h"
#include "tessera/comm/communicator.h"

namespace tessera::testing {

struct CommunicatorCase {
  std::string name;  // a sentence
  std::function<void(Communicator&)> run;

  friend void PrintTo(const CommunicatorCase& test, std::ostream* out) { *out << test.name; }
};

/// All cases, in the order in which they are to be run.
std::vector<CommunicatorCase> communicator_suite();

// The parts of the suite, by file.
void add_reduction_cases(std::vector<CommunicatorCase>& suite);
void add_movement_cases(std::vector<CommunicatorCase>& suite);
void add_agreement_cases(std::vector<CommunicatorCase>& suite);
void add_group_cases(std::vector<CommunicatorCase>& suite);

/// Throws kInternal, with the text, unless `condition`.
template <typename... Args>
void expect(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) fail(ErrorCode::kInternal, format, std::forward<Args>(args)...);
}

/// Throws unless `call` throws an Error of `code` whose message holds all of `words`.
void expect_error(ErrorCode code, const std::vector<std::string>& words,
                  const std::function<void()>& call);

/// A tensor whose bytes depend on the seed and their place.
Tensor noise(DType dtype, int64_t count, uint64_t seed);
/// Throws unless these are the bytes of noise(…, seed).
void expect_noise(const Tensor& tensor, uint64_t seed);

/// "f32", …: all of them.
std::vector<DType> all_dtypes();

}  // namespace tessera::testing
