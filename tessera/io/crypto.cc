#include "tessera/io/crypto.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {
namespace {

constexpr std::string_view kNames[] = {"AES-GCM", "AES-CBC", "SM4-CBC"};
constexpr size_t kMost = size_t{1} << 30;  // per call: OpenSSL counts in int

void require_openssl(bool succeeded, std::string_view what) {
  if (!succeeded) fail(ErrorCode::kInternal, "OpenSSL refuses {}", what);
}

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const EVP_CIPHER* algorithm(Cipher cipher, size_t key_bytes) {
  const bool is_gcm = cipher == Cipher::kAesGcm;
  if (cipher == Cipher::kSm4Cbc) return EVP_sm4_cbc();
  switch (key_bytes) {
    case 16:
      return is_gcm ? EVP_aes_128_gcm() : EVP_aes_128_cbc();
    case 24:
      return is_gcm ? EVP_aes_192_gcm() : EVP_aes_192_cbc();
    default:
      return is_gcm ? EVP_aes_256_gcm() : EVP_aes_256_cbc();
  }
}

const unsigned char* raw(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* raw(std::span<std::byte> bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

Context start(Cipher cipher, std::string_view key, std::span<const std::byte> iv, bool encrypt) {
  check_key(cipher, key);
  Context context(EVP_CIPHER_CTX_new());
  require_openssl(context != nullptr, "memory");
  require_openssl(EVP_CipherInit_ex(context.get(), algorithm(cipher, key.size()), nullptr,
                                    reinterpret_cast<const unsigned char*>(key.data()), raw(iv),
                                    encrypt ? 1 : 0) == 1,
                  to_string(cipher));
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  return context;
}

void run(EVP_CIPHER_CTX* context, std::span<const std::byte> in, std::span<std::byte> out) {
  while (!in.empty()) {
    const size_t count = std::min(in.size(), kMost);
    int written = 0;
    require_openssl(EVP_CipherUpdate(context, raw(out), &written, raw(in.first(count)),
                                     static_cast<int>(count)) == 1 &&
                        static_cast<size_t>(written) == count,
                    "a block of data");
    in = in.subspan(count);
    out = out.subspan(count);
  }
}

void check_cbc(Cipher cipher, size_t iv_bytes, size_t in_bytes, size_t out_bytes) {
  require(cipher != Cipher::kAesGcm && iv_bytes == kCipherBlock && in_bytes == out_bytes &&
              in_bytes % kCipherBlock == 0,
          "CBC takes whole blocks of 16 bytes and an IV of 16, not {} and {}", in_bytes, iv_bytes);
}

}  // namespace

std::string_view to_string(Cipher cipher) {
  return kNames[static_cast<size_t>(cipher)];
}

Cipher parse_cipher(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i)
    if (kNames[i] == name) return static_cast<Cipher>(i);
  fail(ErrorCode::kInvalidArgument, "there is no cipher '{}'; known: AES-GCM, AES-CBC, SM4-CBC",
       printable(name));
}

void check_key(Cipher cipher, std::string_view key) {
  const bool is_aes = cipher != Cipher::kSm4Cbc;
  require(key.size() == 16 || (is_aes && (key.size() == 24 || key.size() == 32)),
          "a key of {} bytes is given; {} takes {}", key.size(), to_string(cipher),
          is_aes ? "16, 24 or 32" : "16");
}

void gcm_encrypt(std::string_view key, std::span<const std::byte> nonce,
                 std::span<const std::byte> in, std::span<std::byte> out,
                 std::span<std::byte> tag) {
  require(nonce.size() == kGcmNonce && tag.size() == kGcmTag && in.size() == out.size(),
          "AES-GCM takes a nonce of 12 bytes and a tag of 16");
  const Context context = start(Cipher::kAesGcm, key, nonce, true);
  run(context.get(), in, out);
  int written = 0;
  unsigned char none[kCipherBlock];
  require_openssl(EVP_EncryptFinal_ex(context.get(), none, &written) == 1 &&
                      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG,
                                          static_cast<int>(kGcmTag), tag.data()) == 1,
                  "the end of the data");
}

bool gcm_decrypt(std::string_view key, std::span<const std::byte> nonce,
                 std::span<const std::byte> in, std::span<std::byte> out,
                 std::span<const std::byte> tag) {
  require(nonce.size() == kGcmNonce && in.size() == out.size() &&
              (tag.empty() || tag.size() == kGcmTag),
          "AES-GCM takes a nonce of 12 bytes and a tag of 16");
  const Context context = start(Cipher::kAesGcm, key, nonce, false);
  run(context.get(), in, out);
  if (tag.empty()) return true;
  std::array<std::byte, kGcmTag> wanted;
  std::copy(tag.begin(), tag.end(), wanted.begin());
  require_openssl(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG,
                                      static_cast<int>(kGcmTag), wanted.data()) == 1,
                  "a tag");
  int written = 0;
  unsigned char none[kCipherBlock];
  return EVP_DecryptFinal_ex(context.get(), none, &written) == 1;
}

void cbc_encrypt(Cipher cipher, std::string_view key, std::span<const std::byte> iv,
                 std::span<const std::byte> in, std::span<std::byte> out) {
  check_cbc(cipher, iv.size(), in.size(), out.size());
  run(start(cipher, key, iv, true).get(), in, out);
}

void cbc_decrypt(Cipher cipher, std::string_view key, std::span<const std::byte> iv,
                 std::span<const std::byte> in, std::span<std::byte> out) {
  check_cbc(cipher, iv.size(), in.size(), out.size());
  run(start(cipher, key, iv, false).get(), in, out);
}

void fill_random(std::span<std::byte> out) {
  require_openssl(RAND_bytes(raw(out), static_cast<int>(out.size())) == 1, "random bytes");
}

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  require_openssl(
      state_->context != nullptr && EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1,
      "SHA-256");
}

Sha256::~Sha256() {
  EVP_MD_CTX_free(state_->context);
}

void Sha256::update(std::span<const std::byte> bytes) {
  require_openssl(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1, "SHA-256");
}

std::array<uint8_t, 32> Sha256::finish() {
  std::array<uint8_t, 32> digest;
  require_openssl(EVP_DigestFinal_ex(state_->context, digest.data(), nullptr) == 1, "SHA-256");
  return digest;
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  std::string text;
  for (const uint8_t byte : hash.finish()) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace tessera
