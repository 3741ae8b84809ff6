// Where the tests find material that is not part of the product.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace tessera::testing {

/// The root of the checkout under test.
inline std::filesystem::path source_dir() {
  const char* folder = std::getenv("TESSERA_SOURCE_DIR");
  return folder != nullptr ? folder : ".";
}

/// ../shared/data beside the checkout: real checkpoints and MindSpore's own values.
inline std::filesystem::path shared_data() {
  return source_dir() / ".." / "shared" / "data";
}

}  // namespace tessera::testing

/// Skips (and so counts) the test where ../shared/data is absent.
#define TESSERA_NEEDS_SHARED_DATA()                                      \
  if (!std::filesystem::is_directory(::tessera::testing::shared_data())) \
  GTEST_SKIP() << "needs ../shared/data"
