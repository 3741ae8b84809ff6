// Ciphers and hashes, as OpenSSL has them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace tessera {

enum class Cipher : uint8_t { kAesGcm, kAesCbc, kSm4Cbc };

/// "AES-GCM", "AES-CBC", "SM4-CBC".
std::string_view to_string(Cipher cipher);
/// Throws kInvalidArgument with the known names.
Cipher parse_cipher(std::string_view name);
/// Throws kInvalidArgument unless `key` has a length that the cipher takes: 16, 24 or 32 bytes for
/// AES, 16 for SM4.
void check_key(Cipher cipher, std::string_view key);

inline constexpr size_t kCipherBlock = 16;  // bytes, of both AES and SM4
inline constexpr size_t kGcmNonce = 12;
inline constexpr size_t kGcmTag = 16;

/// AES-GCM; `out` has the size of `in`. decrypt returns false when the tag does not fit, and `out`
/// is then not to be used; without a tag nothing is checked.
void gcm_encrypt(std::string_view key, std::span<const std::byte> nonce,
                 std::span<const std::byte> in, std::span<std::byte> out, std::span<std::byte> tag);
bool gcm_decrypt(std::string_view key, std::span<const std::byte> nonce,
                 std::span<const std::byte> in, std::span<std::byte> out,
                 std::span<const std::byte> tag);

/// CBC without padding: sizes are multiples of 16.
void cbc_encrypt(Cipher cipher, std::string_view key, std::span<const std::byte> iv,
                 std::span<const std::byte> in, std::span<std::byte> out);
void cbc_decrypt(Cipher cipher, std::string_view key, std::span<const std::byte> iv,
                 std::span<const std::byte> in, std::span<std::byte> out);

/// Bytes that nobody can foretell.
void fill_random(std::span<std::byte> out);

/// SHA-256 of bytes that come in parts.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(std::span<const std::byte> bytes);
  std::array<uint8_t, 32> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The SHA-256 of `bytes` in hexadecimal.
std::string sha256_hex(std::span<const std::byte> bytes);

}  // namespace tessera
