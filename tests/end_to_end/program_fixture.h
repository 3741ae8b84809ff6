// Shared by the end-to-end tests: where the data is, a scratch folder, JSON in the program's
// output.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "tests/support/run_program.h"
#include "tests/support/shared_data.h"

namespace tessera::testing {

/// A folder of its own for each test, removed afterwards.
class ProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "tessera-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  const std::filesystem::path& folder() const { return folder_; }
  std::string in_folder(const std::string& name) const { return (folder_ / name).string(); }
  static std::string shared(const std::string& name) { return (shared_data() / name).string(); }
  static std::string digits(const std::string& name) {
    return (source_dir() / "examples/digits" / name).string();
  }
  /// The test images of the embedded example, made once per test.
  std::string digit_rows() const {
    const std::filesystem::path program = std::getenv("TESSERA_PROGRAM");
    const Outcome made =
        run_program({(program.parent_path() / "make_digits").string(), in_folder("digits")});
    EXPECT_EQ(made.status, 0) << made.err;
    return "mnist:" + in_folder("digits/test");
  }

 private:
  std::filesystem::path folder_;
};

/// The number behind "key": in a JSON text; fails the test when it is not there.
inline double number_in(const std::string& json, const std::string& key) {
  std::smatch match;
  const std::regex pattern("\"" + key + "\": (-?[0-9.eE+-]+)");
  if (!std::regex_search(json, match, pattern)) {
    ADD_FAILURE() << "no number '" << key << "' in " << json;
    return 0;
  }
  return std::stod(match[1]);
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_file(const std::filesystem::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

}  // namespace tessera::testing
