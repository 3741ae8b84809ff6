// The headers of an open checkpoint as bytes, for a process that does not see its files: it plans
// with them, and asks somebody who does for the contents.
//
//   const std::string bytes = encode_headers(checkpoint);               // on the rank that opened
//   it const Checkpoint headers = decode_headers(bytes, "net.ckpt");       // on the others
#pragma once

#include <string>
#include <string_view>

#include "tessera/checkpoint/checkpoint.h"
#include "tessera/checkpoint/digest.h"

namespace tessera {

/// The catalog, the length of each file's plain content and the contents of the strings, which are
/// small: of more than 1 MiB they are kUnsupported. Reads those strings.
std::string encode_headers(const Checkpoint& checkpoint);

/// What encode_headers was given, but with `where` instead of its paths. Its files refuse to be
/// read, except for the strings, with kNotFound. The bytes come from another process and are
/// checked: throws kCorruptData with the offset.
Checkpoint decode_headers(std::string_view bytes, const std::filesystem::path& where);

/// Equal for checkpoints of equal headers, wherever they lie and whether or not their checksums
/// were compared.
Digest digest_headers(const Checkpoint& checkpoint);

}  // namespace tessera
