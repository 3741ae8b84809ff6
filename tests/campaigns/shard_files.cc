#include "tests/campaigns/shard_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <stdexcept>

#include "tessera/io/json.h"

namespace tessera::testing {
namespace {

constexpr std::pair<const char*, const char*> kTypes[] = {
    {"Bool", "BOOL"},   {"Int8", "I8"},     {"UInt8", "U8"},      {"Int16", "I16"},
    {"UInt16", "U16"},  {"Int32", "I32"},   {"UInt32", "U32"},    {"Int64", "I64"},
    {"UInt64", "U64"},  {"Float16", "F16"}, {"BFloat16", "BF16"}, {"Float32", "F32"},
    {"Float64", "F64"},
};

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 128; value >>= 7) out += static_cast<char>((value & 127) | 128);
  out += static_cast<char>(value);
}

void put_bytes(std::string& out, char key, const std::string& bytes) {
  out += key;
  put_varint(out, bytes.size());
  out += bytes;
}

std::string widened(const std::string& bfloat16) {
  std::string out;
  for (size_t i = 0; i < bfloat16.size(); i += 2)
    out += std::string(2, '\0') + bfloat16.substr(i, 2);
  return out;
}

class Wire {
 public:
  explicit Wire(const std::string& bytes) : bytes_(bytes) {}
  bool is_done() const { return at_ == bytes_.size(); }
  char key() { return take(1)[0]; }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
  }
  std::string block() { return take(varint()); }

 private:
  std::string take(uint64_t size) {
    if (size > bytes_.size() - at_) throw std::runtime_error("the file ends early");
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  const std::string& bytes_;
  size_t at_ = 0;
};

ShardEntry decode_entry(const std::string& block) {
  ShardEntry entry;
  Wire value(block);
  if (value.key() != 0x0A) throw std::runtime_error("an entry without a name");
  entry.name = value.block();
  if (value.key() != 0x12) throw std::runtime_error("an entry without a tensor");
  const std::string body = value.block();
  for (Wire tensor(body); !tensor.is_done();) {
    switch (tensor.key()) {
      case 0x08:
        entry.shape.push_back(static_cast<int64_t>(tensor.varint()));
        break;
      case 0x12:
        entry.type = tensor.block();
        break;
      case 0x1A:
        entry.bytes = tensor.block();
        break;
      default:
        throw std::runtime_error("an unknown field of a tensor");
    }
  }
  return entry;
}

std::map<std::string, ShardEntry> decode_ckpt(const std::string& file) {
  std::map<std::string, ShardEntry> entries;
  for (Wire wire(file); !wire.is_done();) {
    if (wire.key() != 0x0A) throw std::runtime_error("not a .ckpt");
    ShardEntry entry = decode_entry(wire.block());
    const auto [known, is_new] = entries.try_emplace(entry.name, entry);
    if (!is_new) known->second.bytes += entry.bytes;
  }
  return entries;
}

std::map<std::string, ShardEntry> decode_safetensors(const std::string& file) {
  uint64_t size = 0;
  if (file.size() < 8) throw std::runtime_error("not a safetensors file");
  std::memcpy(&size, file.data(), 8);
  if (size > file.size() - 8) throw std::runtime_error("the header ends early");
  std::map<std::string, ShardEntry> entries;
  const Json root = parse_json(std::string_view(file).substr(8, size), {});
  for (const auto& [name, json] : root.members()) {
    if (name == "__metadata__") continue;
    ShardEntry entry;
    entry.name = name;
    for (const auto& [ckpt, safetensors] : kTypes)
      if (json.at("dtype").as_string() == safetensors) entry.type = ckpt;
    for (const Json& extent : json.at("shape").items()) entry.shape.push_back(extent.as_int());
    const auto begin = static_cast<size_t>(json.at("data_offsets").items()[0].as_int());
    const auto end = static_cast<size_t>(json.at("data_offsets").items()[1].as_int());
    if (end < begin || end > file.size() - 8 - size) throw std::runtime_error("data outside");
    entry.bytes = file.substr(8 + size + begin, end - begin);
    entries.emplace(name, std::move(entry));
  }
  return entries;
}

}  // namespace

std::string encode_ckpt(const std::vector<ShardEntry>& entries, Random& random) {
  std::string out;
  for (const ShardEntry& entry : entries) {
    const bool is_wide = entry.type == "BFloat16" && chance(random, 30);
    const std::string content = is_wide ? widened(entry.bytes) : entry.bytes;
    std::string head;
    for (const int64_t extent : entry.shape)
      head += '\x08', put_varint(head, static_cast<uint64_t>(extent));
    if (entry.shape.empty() && chance(random, 50)) head += std::string("\x08\x00", 2);
    put_bytes(head, 0x12, entry.type);
    int64_t count = 1;
    for (const int64_t extent : entry.shape) count *= extent;
    const size_t width = count == 0 ? 1 : content.size() / static_cast<size_t>(count);
    const size_t pieces = is_wide || count == 0 || !chance(random, 25) ? 1 : 1 + below(random, 3);
    size_t at = 0;
    for (size_t p = 0; p < pieces; ++p) {
      const size_t rest = (content.size() - at) / width;
      const size_t size = p + 1 == pieces ? rest * width : below(random, rest + 1) * width;
      if (size == 0 && p > 0) continue;
      if (size == 0 && p + 1 < pieces) continue;
      std::string tensor = head, value;
      put_bytes(tensor, 0x1A, content.substr(at, size));
      at += size;
      put_bytes(value, 0x0A, entry.name);
      put_bytes(value, 0x12, tensor);
      put_bytes(out, 0x0A, value);
    }
  }
  return out;
}

std::string encode_plain_ckpt(const std::vector<ShardEntry>& entries) {
  std::string out;
  for (const ShardEntry& entry : entries) {
    std::string tensor, value;
    for (const int64_t extent : entry.shape) {
      tensor += '\x08';
      put_varint(tensor, static_cast<uint64_t>(extent));
    }
    put_bytes(tensor, 0x12, entry.type);
    put_bytes(tensor, 0x1A, entry.bytes);
    put_bytes(value, 0x0A, entry.name);
    put_bytes(value, 0x12, tensor);
    put_bytes(out, 0x0A, value);
  }
  return out;
}

std::string encode_safetensors(const std::vector<ShardEntry>& entries) {
  std::string header = "{\"__metadata__\":{\"format\":\"ms\"}", data;
  for (const ShardEntry& entry : entries) {
    const char* dtype = "";
    for (const auto& [ckpt, safetensors] : kTypes)
      if (entry.type == ckpt) dtype = safetensors;
    header +=
        fmt::format(",\"{}\":{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{},{}]}}",
                    entry.name, dtype, entry.shape, data.size(), data.size() + entry.bytes.size());
    data += entry.bytes;
  }
  header += "}";
  while (header.size() % 8 != 0) header += ' ';
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + header + data;
}

std::map<std::string, ShardEntry> decode(const std::string& file, bool is_safetensors) {
  return is_safetensors ? decode_safetensors(file) : decode_ckpt(file);
}

}  // namespace tessera::testing
