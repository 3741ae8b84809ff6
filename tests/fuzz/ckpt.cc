#include "tests/fuzz/check_checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string content(reinterpret_cast<const char*>(data), size);
  tessera::fuzz::check_checkpoint(content, ".ckpt", {});
  tessera::fuzz::check_checkpoint(
      content, ".ckpt",
      {.crc = tessera::CrcCheck::kRequired,
       .allow = {"missing_crc", "duplicate_names", "short_content", "long_content", "empty_name"}});
  tessera::fuzz::check_checkpoint(content, ".ckpt", {.key = "0123456789ABCDEF"});
  return 0;
}
