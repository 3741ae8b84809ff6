// Errors say what was found, what was wanted and where; the lines below the first say, innermost
// first, what the program was doing:
//
//   dim 'k' is 4 in operand 1 but 3 before it
//     while adding op 'matmul'
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace tessera {

/// What kind of failure this is: programs branch on it, people read the message.
enum class ErrorCode : uint8_t {
  kInvalidArgument,  // the caller asked for something that cannot be
  kNotFound,         // a file, parameter, op or region that is not there
  kCorruptData,      // bytes from outside that contradict themselves or their format
  kUnsupported,      // right, but not something this build or this machine can do
  kIo,               // the operating system refused
  kComm,             // another rank failed or could not be reached
  kInternal,         // a fault of Tessera's own
};

std::string_view to_string(ErrorCode code);

/// The one exception type of the library. The message includes every ErrorContext alive on this
/// thread where it was made.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message);

  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

template <typename... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

/// Requires `condition` of what the caller passed; throws kInvalidArgument otherwise.
template <typename... Args>
void require(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) fail(ErrorCode::kInvalidArgument, format, std::forward<Args>(args)...);
}

/// Requires `condition` of bytes from outside; throws kCorruptData otherwise.
template <typename... Args>
void require_valid(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) fail(ErrorCode::kCorruptData, format, std::forward<Args>(args)...);
}

namespace internal {

/// A link of the per-thread chain of contexts; see ErrorContext.
class ContextLink {
 public:
  using Describe = std::string (*)(const void* self);

  ContextLink(Describe describe, const void* self);
  ~ContextLink();
  ContextLink(const ContextLink&) = delete;
  ContextLink& operator=(const ContextLink&) = delete;

  /// The innermost link of this thread, or null.
  static const ContextLink* innermost();
  std::string describe() const { return describe_(self_); }
  const ContextLink* outer() const { return outer_; }

 private:
  Describe describe_;
  const void* self_;
  const ContextLink* outer_;
};

/// Makes another thread's chain the context of this one while it lives. That thread must outlive it
/// and keep its contexts, as a caller that waits for its workers does.
class AdoptContext {
 public:
  explicit AdoptContext(const ContextLink* chain);
  ~AdoptContext();
  AdoptContext(const AdoptContext&) = delete;
  AdoptContext& operator=(const AdoptContext&) = delete;

 private:
  const ContextLink* previous_;
};

}  // namespace internal

/// Adds a line to every Error made on this thread while it lives. `describe` is called only then:
///
///   const ErrorContext context([&] { return fmt::format("loading '{}' from {}", name, path); });
template <typename Describe>
class ErrorContext {
 public:
  explicit ErrorContext(Describe describe)
      : held_{std::move(describe)},
        link_([](const void* self) { return static_cast<const Held*>(self)->describe(); }, &held_) {
  }

 private:
  // Never empty, so that g++ does not take the address of an empty lambda for uninitialised memory.
  struct Held {
    Describe describe;
    bool alive = true;
  };
  Held held_;
  internal::ContextLink link_;
};

}  // namespace tessera
