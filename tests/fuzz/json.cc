#include "tessera/io/json.h"

#include <cstddef>
#include <cstdint>

#include "tessera/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const tessera::Json root =
        tessera::parse_json({reinterpret_cast<const char*>(data), size}, {.depth = 20});
    if (root.is_object()) root.find("a");
  } catch (const tessera::Error&) {
    return 0;
  }
  return 0;
}
