#include "tessera/base/error.h"

namespace tessera {
namespace {

// Per thread, because a context describes what this thread is doing.
thread_local const internal::ContextLink* innermost_link = nullptr;  // NOLINT

std::string with_context(const std::string& message) {
  std::string text = message;
  for (const auto* link = innermost_link; link != nullptr; link = link->outer())
    text += "\n  while " + link->describe();
  return text;
}

}  // namespace

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid argument";
    case ErrorCode::kNotFound:
      return "not found";
    case ErrorCode::kCorruptData:
      return "corrupt data";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kIo:
      return "input/output";
    case ErrorCode::kComm:
      return "communication";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "unknown";
}

Error::Error(ErrorCode code, const std::string& message)
    : std::runtime_error(with_context(message)), code_(code) {}

namespace internal {

ContextLink::ContextLink(Describe describe, const void* self)
    : describe_(describe), self_(self), outer_(std::exchange(innermost_link, this)) {}

ContextLink::~ContextLink() {
  innermost_link = outer_;
}

const ContextLink* ContextLink::innermost() {
  return innermost_link;
}

AdoptContext::AdoptContext(const ContextLink* chain)
    : previous_(std::exchange(innermost_link, chain)) {}

AdoptContext::~AdoptContext() {
  innermost_link = previous_;
}

}  // namespace internal
}  // namespace tessera
