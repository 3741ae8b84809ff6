// Reads the arguments of a transform.
#pragma once

#include <string_view>
#include <vector>

#include "tessera/data/transform.h"

namespace tessera::internal {

/// A whole number of at least 1, at most 2^20.
int64_t extent_argument(const TransformArgument& argument, std::string_view what);
/// One finite number per channel; a single number stands for all.
std::vector<float> channel_argument(const TransformArgument& argument, int64_t channels,
                                    std::string_view what);
/// The channels of a row: the extent of its last dim.
int64_t channel_count(const RowType& row);

/// A step that only names the elements otherwise.
std::unique_ptr<RowStep> relabel(RowType result);

/// The elements of a row, and of what it becomes.
template <typename T>
std::span<const T> elements(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}
template <typename T>
std::span<T> elements(std::span<std::byte> bytes) {
  return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
}

}  // namespace tessera::internal
