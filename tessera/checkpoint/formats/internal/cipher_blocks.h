// MindSpore's encryption container: blocks of cipher text, each with its own header.
//
//   generation 2 (since 1.7)  magic, [tag of 16 bytes with AES-GCM], size, 16, IV, length, bytes
//   generation 1 (up to 1.6)  magic, size, 16, IV, length, bytes
//
// Numbers are little-endian int32; size is 24 + length. The magic says the cipher (…D8 AES-GCM,
// …D9 AES-CBC, …DA SM4-CBC), except that generation 1 has …D8 for both AES modes and stores no
// tag. AES-GCM takes the first 12 of the IV's 16 bytes as its nonce; CBC pads as PKCS #7 does.
#pragma once

#include <memory>
#include <string_view>

#include "tessera/checkpoint/checkpoint.h"

namespace tessera {
struct WriteOptions;
}

namespace tessera::internal {

bool begins_like_cipher_blocks(std::string_view head);

/// The plain content of an encrypted file. Each block is decrypted (and with AES-GCM
/// authenticated) as a whole when it is first read, and kept while it is among the latest 256 MiB.
/// Sets cipher and generation of `facts`. Throws kInvalidArgument when the key is missing or does
/// not fit the cipher, kCorruptData when it is the wrong one or the file was changed.
std::shared_ptr<const RandomAccessFile> open_cipher_blocks(
    std::shared_ptr<const RandomAccessFile> file, const OpenOptions& options, CatalogFile& facts);

/// Encrypts what is appended and writes it to `file` in blocks of generation 2.
class CipherBlockWriter {
 public:
  static constexpr size_t kMostPlain = size_t{64} << 20;  // per block

  CipherBlockWriter(WritableFile& file, const WriteOptions& options);
  void append(std::span<const std::byte> bytes);
  /// To be called after the last append.
  void finish();

 private:
  void write_block();

  WritableFile& file_;
  const WriteOptions& options_;
  std::vector<std::byte> plain_;
};

}  // namespace tessera::internal
