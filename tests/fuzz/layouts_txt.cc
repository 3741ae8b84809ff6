#include "tests/fuzz/check_strategy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string content(reinterpret_cast<const char*>(data), size);
  tessera::fuzz::check_strategy(content, ".txt");
  return 0;
}
