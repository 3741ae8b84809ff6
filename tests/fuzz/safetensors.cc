#include "tests/fuzz/check_checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string content(reinterpret_cast<const char*>(data), size);
  tessera::fuzz::check_checkpoint(content, ".safetensors", {});
  tessera::fuzz::check_checkpoint(content, ".safetensors",
                                  {.crc = tessera::CrcCheck::kRequired, .allow = {"missing_crc"}});
  return 0;
}
