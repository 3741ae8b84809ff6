// A form in which a strategy is written down: one file in strategies/ that defines
// `const StrategyForm& strategy_NAME()`, where NAME is the file's name.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tessera/checkpoint/strategy.h"

namespace tessera {

class StrategyForm {
 public:
  static constexpr size_t kHeadBytes = 1024;

  virtual ~StrategyForm() = default;
  virtual std::string_view name() const = 0;    // "mindspore protobuf"
  virtual std::string_view suffix() const = 0;  // ".ckpt": for writing, and for a damaged head
  /// Whether content that begins with `head`, at most kHeadBytes, looks like this form; at most one
  /// form says so.
  virtual bool recognizes(std::string_view head) const = 0;
  /// Throws kCorruptData with the offset or the line. The parameters need no index.
  virtual Strategy read(std::string_view content) const = 0;
  /// Throws kUnsupported naming the parameter that the form cannot express, and one that can.
  virtual std::string write(const Strategy& strategy) const = 0;
};

std::span<const StrategyForm* const> all_strategy_forms();

}  // namespace tessera
