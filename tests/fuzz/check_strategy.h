// What every fuzz target of a strategy form checks: foreign bytes are refused with an Error, or
// read as a strategy that can be written down, reads back equal and cuts tensors of its shapes.
#pragma once

#include <cstdlib>
#include <string>

#include "tessera/base/error.h"
#include "tessera/checkpoint/strategy.h"
#include "tessera/io/memory_file_system.h"

namespace tessera::fuzz {

/// Whether the strategy reads back equal where `suffix` can hold it.
inline void check_written(const Strategy& strategy, const std::string& suffix) {
  MemoryFileSystem files;
  try {
    write_strategy(strategy, "out" + suffix, files);
  } catch (const Error& error) {
    // Optimizer sharding that does not fit its layout shows only when it is worked out.
    const bool refused =
        error.code() == ErrorCode::kUnsupported || error.code() == ErrorCode::kInvalidArgument;
    if (!refused || suffix == ".txt") std::abort();
    return;
  }
  Strategy back = read_strategy("out" + suffix, files);
  back.format = strategy.format;
  if (suffix == ".txt" && back != strategy) std::abort();
}

/// Cuts a tensor as the parameter says, for the first and the last rank.
inline void check_slices(const ParameterLayout& parameter, int ranks) {
  Shape shape(parameter.layout.dims.size(), 7);
  if (parameter.shape) shape = *parameter.shape;
  for (const Rank rank : {0, ranks - 1}) {
    try {
      local_shape(slices_of(parameter, shape, rank));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInternal) std::abort();
    }
  }
}

inline void check_strategy(const std::string& content, const std::string& suffix) {
  MemoryFileSystem files;
  files.put("in" + suffix, content);
  Strategy strategy;
  try {
    strategy = read_strategy("in" + suffix, files);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInternal) std::abort();
    return;
  }
  for (const std::string form : {".txt", ".json", ".ckpt"}) check_written(strategy, form);
  for (const ParameterLayout& parameter : strategy.parameters)
    check_slices(parameter, strategy.ranks_per_stage);
}

}  // namespace tessera::fuzz
