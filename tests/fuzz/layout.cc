// The notation of meshes and layouts: what can be read is printed, and reads back equal; what
// cannot be read is an invalid argument.
#include "tessera/layout/layout.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "tessera/base/error.h"

namespace {

/// What `read` returns, or nothing where the text is no argument for it. Any other failure, and one
/// of what is printed below, ends the program.
template <typename Read>
auto read_or_nothing(Read read) -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const tessera::Error& error) {
    if (error.code() != tessera::ErrorCode::kInvalidArgument) std::abort();
  }
  return {};
}

void require_equal(bool equal) {
  if (!equal) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto mesh = read_or_nothing([&] { return tessera::parse_mesh(text); }))
    require_equal(*tessera::parse_mesh(tessera::to_string(**mesh)) == **mesh);
  if (const auto layout = read_or_nothing([&] { return tessera::parse_layout(text); })) {
    tessera::validate(*layout, layout->dims.size());
    require_equal(tessera::parse_layout(tessera::to_string(*layout)) == *layout);
    require_equal(tessera::parse_layout(tessera::dims_to_string(*layout), layout->mesh) == *layout);
  }
  return 0;
}
