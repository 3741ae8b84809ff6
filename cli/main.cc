// tessera: one program, one word per task. Errors go to stderr, data to stdout.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <new>
#include <system_error>

#include "cli/program.h"
#include "tessera/base/error.h"
#include "tessera/io/temporary_files.h"

#define TESSERA_FILE(name) TESSERA_WORD(name);
#include "cli_words.inc"
#undef TESSERA_FILE

namespace tessera::cli {
namespace {

/// The word of words/<file>.cc: file names have no '-'.
std::string_view word_name(std::string_view file) {
  static std::deque<std::string> names;
  std::string& name = names.emplace_back(file);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::vector<Word> make_words() {
  std::vector<Word> words;
#define TESSERA_FILE(file)                 \
  words.push_back(::define_word_##file()); \
  words.back().name = word_name(#file);
#include "cli_words.inc"
#undef TESSERA_FILE
  return words;
}

int report(const std::string& message, int status) {
  std::fflush(stdout);
  const bool colour = isatty(STDERR_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  // Where stderr lies on the disk that is full, the exit status must do.
  std::fputs(
      fmt::format("{}error:{} {}\n", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "", message)
          .c_str(),
      stderr);
  return status;
}

int run(int argc, const char* const* argv) {
  try {
    return parse_and_run(argc, argv, "tessera " TESSERA_VERSION);
  } catch (const ExitStatus& exit) {
    return exit.status;
  } catch (const Error& error) {
    return report(error.what(), error.code() == ErrorCode::kInternal ? kExitInternal : kExitInput);
  } catch (const UsageError& error) {
    return report(error.what(), kExitUsage);
  } catch (const std::bad_alloc&) {
    return report("there is not enough memory for this", kExitInput);
  } catch (const std::system_error& error) {
    return report(error.what(), kExitInput);
  } catch (const std::exception& error) {
    return report(error.what(), kExitInternal);
  }
}

}  // namespace

std::span<const Word> all_words() {
  static const std::vector<Word> words = make_words();
  return words;
}

}  // namespace tessera::cli

// Threads of oneDNN's OpenMP wait for each other by spinning, for milliseconds, which starves
// whoever shares the processors: the threads that decode rows, other ranks, other programs. A short
// spin keeps small kernels fast and gives the processor back soon. The OpenMP library reads its
// settings before main begins, hence the early place; who sets them in the environment is not
// overruled.
static void limit_spinning(int /*argc*/, char** /*argv*/, char** /*environment*/) {
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) setenv("GOMP_SPINCOUNT", "2000", 0);
}
__attribute__((section(".preinit_array"),
               used)) static void (*const kBeforeLibraries)(int, char**, char**) = limit_spinning;

/// Hundreds of ranks are hundreds of open files: takes as many as the system grants.
static void allow_many_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Removes what is half-written, then ends as the signal would have.
static void on_signal(int signal) {
  tessera::remove_temporary_files();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

int main(int argc, char** argv) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, on_signal);
  // A file that may not grow is an error of the write, which then cleans up, not the end of the
  // process.
  std::signal(SIGXFSZ, SIG_IGN);
  allow_many_files();
  const int status = tessera::cli::run(argc, argv);
  // A full disk or a closed pipe shows only when the buffers are written.
  const bool lost = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  if (lost && (status == tessera::cli::kExitOk || status == tessera::cli::kExitDifferent))
    return tessera::cli::report("the output could not be written", tessera::cli::kExitInput);
  return status;
}
