#include "tests/fuzz/check_picture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tessera::check_picture({data, size}, tessera::internal::is_bmp, tessera::internal::decode_bmp);
  return 0;
}
