// A data set in a folder of the process's own: the input is its test file.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tessera/base/error.h"
#include "tessera/data/row_source.h"

namespace {

/// Goes with the process.
struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("tessera_fuzz_cifar_" + std::to_string(getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Folder folder;
  std::ofstream(folder.path / "test_batch.bin", std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  try {
    const auto rows = tessera::open_rows("cifar10:" + folder.path.string());
    for (int64_t i = 0; i < rows->size(); ++i)
      if (rows->row(i).label < 0 || rows->row(i).label > 9) std::abort();
  } catch (const tessera::Error& error) {
    if (error.code() == tessera::ErrorCode::kInternal) std::abort();
  }
  return 0;
}
