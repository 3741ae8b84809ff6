#include "tessera/checkpoint/formats/internal/cipher_blocks.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <list>
#include <mutex>
#include <optional>

#include "tessera/base/error.h"
#include "tessera/base/parallel.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/formats/internal/ckpt_entries.h"
#include "tessera/checkpoint/formats/internal/stored_crc.h"
#include "tessera/checkpoint/writer.h"
#include "tessera/io/byte_reader.h"
#include "tessera/io/crypto.h"

namespace tessera::internal {
namespace {

constexpr uint32_t kMagicGcm = 0x7F3A5ED8, kMagicCbc = 0x7F3A5ED9, kMagicSm4 = 0x7F3A5EDA;
constexpr uint32_t kIvBytes = 16;
constexpr uint64_t kLongestHeader = 4 + kGcmTag + 4 + 4 + kIvBytes + 4;

struct BlockHeader {
  uint32_t magic = 0;
  std::array<std::byte, kGcmTag> tag{};
  std::array<std::byte, kIvBytes> iv{};
  ByteRange cipher;
};

struct Block {
  BlockHeader header;
  uint64_t plain_begin = 0;
  uint64_t plain_size = 0;
};

/// The header at the begin of `bytes`, which lie at `offset`; nothing when it has another form.
std::optional<BlockHeader> read_header(std::span<const std::byte> bytes, uint64_t offset,
                                       int generation) {
  ByteReader reader(bytes, "a block's header", offset);
  if (reader.remaining() < 4) return {};
  BlockHeader header;
  header.magic = reader.u32();
  const bool has_tag = generation == 2 && header.magic == kMagicGcm;
  if (reader.remaining() < (has_tag ? kGcmTag : 0) + 12 + kIvBytes) return {};
  const auto take = [&](auto& array) {
    const auto from = reader.bytes(array.size());
    std::copy(from.begin(), from.end(), array.begin());
  };
  if (has_tag) take(header.tag);
  const uint32_t size = reader.u32();
  const uint32_t iv_bytes = reader.u32();
  take(header.iv);
  const uint32_t length = reader.u32();
  header.cipher = {reader.offset(), length};
  if (iv_bytes != kIvBytes || length == 0 || length > 0x7FFFFFFFU - 24 || size != length + 24)
    return {};
  return header;
}

std::vector<std::byte> read_some(const RandomAccessFile& file, uint64_t offset, uint64_t most) {
  std::vector<std::byte> bytes(std::min(most, file.size() - offset));
  file.read(offset, bytes);
  return bytes;
}

bool is_crc_trailer(std::span<const std::byte> bytes) {
  constexpr std::string_view kMark = "crc_num";
  return bytes.size() == kCrcTrailer && std::memcmp(bytes.data(), kMark.data(), kMark.size()) == 0;
}

int generation_of(const RandomAccessFile& file, const OpenOptions& options) {
  const std::vector<std::byte> head = read_some(file, 0, kLongestHeader);
  require(options.generation >= 0 && options.generation <= 2,
          "cipher generation {} is none; it is 1 (MindSpore up to 1.6) or 2", options.generation);
  for (const int generation : {2, 1}) {
    if (options.generation != 0 && options.generation != generation) continue;
    if (!read_header(head, 0, generation)) continue;
    const uint32_t magic = ByteReader(head, "a block's header").u32();
    if (generation == 2 || magic == kMagicGcm) return generation;
  }
  fail(ErrorCode::kCorruptData,
       "the file begins with the magic of MindSpore's encryption but no block header follows{}",
       options.generation != 0 ? fmt::format(" in the form of generation {}", options.generation)
                               : "");
}

std::vector<BlockHeader> read_headers(const RandomAccessFile& file, int generation) {
  std::vector<BlockHeader> headers;
  uint64_t at = 0;
  while (at < file.size()) {
    const std::vector<std::byte> bytes = read_some(file, at, kLongestHeader);
    // MindSpore appends a trailer without meaning when it is asked for both a key and a CRC.
    if (!headers.empty() && is_crc_trailer(bytes)) break;
    const std::optional<BlockHeader> header = read_header(bytes, at, generation);
    require_valid(header.has_value() && (headers.empty() || header->magic == headers[0].magic),
                  "there is no cipher block header at byte {}, where one is wanted", at);
    require_valid(header->cipher.size <= file.size() - header->cipher.offset,
                  "the cipher block at byte {} has {} bytes but the file ends after {} of them", at,
                  header->cipher.size, file.size() - header->cipher.offset);
    at = header->cipher.end();
    headers.push_back(*header);
  }
  return headers;
}

/// Plain content of blocks that are decrypted when they are first read.
class CipherBlocks : public RandomAccessFile {
 public:
  CipherBlocks(std::shared_ptr<const RandomAccessFile> file, std::string key, Cipher cipher,
               bool has_tags)
      : file_(std::move(file)), key_(std::move(key)), cipher_(cipher), has_tags_(has_tags) {}

  void add(const BlockHeader& header) {
    uint64_t plain = header.cipher.size;
    if (cipher_ != Cipher::kAesGcm) plain -= padding_of(header);
    blocks_.push_back({header, size_, plain});
    size_ += plain;
  }

  void read(uint64_t offset, std::span<std::byte> out) const override {
    require_valid(offset <= size_ && out.size() <= size_ - offset,
                  "{} bytes at byte {} reach beyond the {} decrypted bytes", out.size(), offset,
                  size_);
    auto block = std::upper_bound(
        blocks_.begin(), blocks_.end(), offset,
        [](uint64_t wanted, const Block& candidate) { return wanted < candidate.plain_begin; });
    for (--block; !out.empty(); ++block) {
      const std::shared_ptr<const Plain> plain = plain_of(*block);
      const uint64_t begin = offset - block->plain_begin;
      const size_t count = std::min<uint64_t>(out.size(), block->plain_size - begin);
      if (count > 0) std::memcpy(out.data(), plain->bytes.data() + begin, count);
      out = out.subspan(count);
      offset += count;
    }
  }
  uint64_t size() const override { return size_; }
  const std::string& name() const override { return file_->name(); }

  /// The first bytes without authentication, to see whether a cipher fits.
  std::string head() const {
    const BlockHeader& header = blocks_[0].header;
    std::vector<std::byte> bytes(std::min<uint64_t>(header.cipher.size, 64));
    file_->read(header.cipher.offset, bytes);
    decrypt(header, bytes, {});
    const uint64_t count = std::min<uint64_t>(bytes.size(), blocks_[0].plain_size);
    return {reinterpret_cast<const char*>(bytes.data()), count};
  }

 private:
  static constexpr uint64_t kCached = uint64_t{256} << 20;

  struct Plain {
    std::once_flag once;
    std::vector<std::byte> bytes;
  };
  struct Cached {
    const Block* block;
    std::shared_ptr<Plain> plain;
  };

  [[noreturn]] void refuse(const BlockHeader& header, std::string_view why) const {
    fail(ErrorCode::kCorruptData,
         "the {} block at byte {} {}: the key is another one, or the file was changed or cut",
         to_string(cipher_), header.cipher.offset, why);
  }

  void decrypt(const BlockHeader& header, std::span<std::byte> bytes,
               std::span<const std::byte> tag) const {
    if (cipher_ == Cipher::kAesGcm) {
      const bool fits = gcm_decrypt(key_, std::span(header.iv).first(kGcmNonce), bytes, bytes, tag);
      if (!fits) refuse(header, "does not authenticate");
      return;
    }
    // A part of CBC data needs only the cipher text just before it, so parts go to threads.
    constexpr size_t kPart = size_t{1} << 20;
    const size_t parts = (bytes.size() + kPart - 1) / kPart;
    std::vector<std::array<std::byte, kCipherBlock>> ivs(std::max<size_t>(parts, 1), header.iv);
    for (size_t i = 1; i < parts; ++i)
      std::memcpy(ivs[i].data(), bytes.data() + i * kPart - kCipherBlock, kCipherBlock);
    parallel_for(parts, default_thread_count(), [&](size_t i) {
      const auto part = bytes.subspan(i * kPart, std::min(kPart, bytes.size() - i * kPart));
      cbc_decrypt(cipher_, key_, ivs[i], part, part);
    });
  }

  uint64_t padding_of(const BlockHeader& header) const {
    const ByteRange cipher = header.cipher;
    require_valid(cipher.size % kCipherBlock == 0,
                  "the {} block at byte {} has {} bytes, not a multiple of 16", to_string(cipher_),
                  cipher.offset, cipher.size);
    std::array<std::byte, kCipherBlock> before = header.iv, last;
    file_->read(cipher.end() - kCipherBlock, last);
    if (cipher.size > kCipherBlock) file_->read(cipher.end() - 2 * kCipherBlock, before);
    cbc_decrypt(cipher_, key_, before, last, last);
    const auto padding = static_cast<size_t>(last.back());
    const bool is_padding =
        padding >= 1 && padding <= kCipherBlock &&
        std::all_of(last.end() - static_cast<std::ptrdiff_t>(padding), last.end(),
                    [&](std::byte byte) { return byte == last.back(); });
    if (!is_padding) refuse(header, "does not end with padding");
    return padding;
  }

  std::shared_ptr<const Plain> plain_of(const Block& block) const {
    const std::shared_ptr<Plain> plain = slot_of(block);
    std::call_once(plain->once, [&] {
      std::vector<std::byte> bytes(block.header.cipher.size);
      file_->read(block.header.cipher.offset, bytes);
      decrypt(
          block.header, bytes,
          has_tags_ ? std::span<const std::byte>(block.header.tag) : std::span<const std::byte>());
      bytes.resize(block.plain_size);
      plain->bytes = std::move(bytes);
    });
    return plain;
  }

  std::shared_ptr<Plain> slot_of(const Block& block) const {
    const std::scoped_lock lock(mutex_);
    for (auto it = cached_.begin(); it != cached_.end(); ++it) {
      if (it->block != &block) continue;
      cached_.splice(cached_.begin(), cached_, it);
      return it->plain;
    }
    cached_.push_front({&block, std::make_shared<Plain>()});
    uint64_t total = 0;
    for (auto it = cached_.begin(); it != cached_.end(); ++it) {
      total += it->block->plain_size;
      if (total <= kCached || it == cached_.begin()) continue;
      cached_.erase(it, cached_.end());
      break;
    }
    return cached_.front().plain;
  }

  std::shared_ptr<const RandomAccessFile> file_;
  std::string key_;
  Cipher cipher_;
  bool has_tags_;
  std::vector<Block> blocks_;
  uint64_t size_ = 0;
  mutable std::mutex mutex_;
  mutable std::list<Cached> cached_;  // latest first
};

std::shared_ptr<const CipherBlocks> try_cipher(const std::shared_ptr<const RandomAccessFile>& file,
                                               std::span<const BlockHeader> headers,
                                               const std::string& key, Cipher cipher,
                                               bool has_tags) {
  check_key(cipher, key);
  auto blocks = std::make_shared<CipherBlocks>(file, key, cipher, has_tags);
  for (const BlockHeader& header : headers) blocks->add(header);
  require_valid(begins_like_ckpt_entry(blocks->head()),
                "what {} decrypts is no checkpoint: the key or the cipher is another one",
                to_string(cipher));
  return blocks;
}

Cipher cipher_of(uint32_t magic) {
  return magic == kMagicGcm ? Cipher::kAesGcm
                            : (magic == kMagicCbc ? Cipher::kAesCbc : Cipher::kSm4Cbc);
}

/// Generation 1 does not say which AES mode it has: the one that gives a checkpoint is it.
std::shared_ptr<const CipherBlocks> try_both(const std::shared_ptr<const RandomAccessFile>& file,
                                             std::span<const BlockHeader> headers,
                                             const std::string& key, Cipher& cipher) {
  for (const Cipher candidate : {Cipher::kAesCbc, Cipher::kAesGcm}) {
    check_key(candidate, key);
    cipher = candidate;
    try {
      return try_cipher(file, headers, key, candidate, false);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kCorruptData) throw;
    }
  }
  fail(ErrorCode::kCorruptData,
       "neither AES-CBC nor AES-GCM gives a checkpoint: the key is another one, or the file was "
       "changed");
}

}  // namespace

bool begins_like_cipher_blocks(std::string_view head) {
  uint32_t magic = 0;
  if (head.size() < sizeof magic) return false;
  std::memcpy(&magic, head.data(), sizeof magic);
  return magic == kMagicGcm || magic == kMagicCbc || magic == kMagicSm4;
}

std::shared_ptr<const RandomAccessFile> open_cipher_blocks(
    std::shared_ptr<const RandomAccessFile> file, const OpenOptions& options, CatalogFile& facts) {
  const int generation = generation_of(*file, options);
  const std::vector<BlockHeader> headers = read_headers(*file, generation);
  const bool is_told = generation == 2;
  require(!options.key.empty(), "the file is encrypted ({}); '--key-file' gives its key",
          is_told ? to_string(cipher_of(headers[0].magic)) : "AES-GCM or AES-CBC");
  Cipher cipher = cipher_of(headers[0].magic);
  if (!options.cipher.empty()) {
    const Cipher asked = parse_cipher(options.cipher);
    require(asked == cipher || (!is_told && asked != Cipher::kSm4Cbc),
            "the file is encrypted with {} but {} was given", to_string(cipher), to_string(asked));
    cipher = asked;
  }
  const std::shared_ptr<const CipherBlocks> blocks =
      is_told || !options.cipher.empty()
          ? try_cipher(file, headers, options.key, cipher, is_told && cipher == Cipher::kAesGcm)
          : try_both(file, headers, options.key, cipher);
  facts.cipher = to_string(cipher);
  facts.generation = generation;
  return blocks;
}

CipherBlockWriter::CipherBlockWriter(WritableFile& file, const WriteOptions& options)
    : file_(file), options_(options) {
  check_key(parse_cipher(options_.cipher), options_.key);
}

void CipherBlockWriter::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const size_t count = std::min(bytes.size(), kMostPlain - plain_.size());
    plain_.insert(plain_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
    bytes = bytes.subspan(count);
    if (plain_.size() == kMostPlain) write_block();
  }
}

void CipherBlockWriter::finish() {
  if (!plain_.empty()) write_block();
}

void CipherBlockWriter::write_block() {
  const Cipher cipher = parse_cipher(options_.cipher);
  std::array<std::byte, kIvBytes> iv;
  fill_random(iv);
  std::array<std::byte, kGcmTag> tag{};
  if (cipher == Cipher::kAesGcm) {
    gcm_encrypt(options_.key, std::span(iv).first(kGcmNonce), plain_, plain_, tag);
  } else {
    const size_t padding = kCipherBlock - plain_.size() % kCipherBlock;
    plain_.resize(plain_.size() + padding, static_cast<std::byte>(padding));
    cbc_encrypt(cipher, options_.key, iv, plain_, plain_);
  }
  std::string header;
  const auto put = [&](std::span<const std::byte> bytes) {
    header.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  const auto put_number = [&](uint32_t number) { put(std::as_bytes(std::span(&number, 1))); };
  const auto length = static_cast<uint32_t>(plain_.size());
  put_number(cipher == Cipher::kAesGcm   ? kMagicGcm
             : cipher == Cipher::kAesCbc ? kMagicCbc
                                         : kMagicSm4);
  if (cipher == Cipher::kAesGcm) put(tag);
  put_number(length + 24);
  put_number(kIvBytes);
  put(iv);
  put_number(length);
  file_.append(std::as_bytes(std::span(header)));
  file_.append(plain_);
  plain_.clear();
}

}  // namespace tessera::internal
