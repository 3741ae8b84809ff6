#include "tessera/data/class_names.h"

#include <cstddef>
#include <cstdint>

#include "tessera/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    tessera::parse_class_names({reinterpret_cast<const char*>(data), size});
  } catch (const tessera::Error&) {
    return 0;
  }
  return 0;
}
