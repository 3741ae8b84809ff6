#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>

#include "tessera/base/error.h"
#include "tessera/io/byte_reader.h"
#include "tessera/io/crc.h"
#include "tessera/io/crypto.h"
#include "tessera/io/faulty_file_system.h"
#include "tessera/io/json.h"
#include "tessera/io/memory_file_system.h"
#include "tessera/io/page_fetcher.h"
#include "tessera/io/part_file.h"
#include "tessera/io/protobuf_wire.h"

namespace tessera {
namespace {

class Folder {
 public:
  Folder() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("tessera_io_" + std::to_string(::getpid()) + "_" + std::to_string(count++));
    std::filesystem::create_directory(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

template <typename Action>
std::string error_of(const Action& action) {
  try {
    action();
    return "";
  } catch (const Error& error) {
    return std::string(to_string(error.code())) + ": " + error.what();
  }
}

void put(FileSystem& files, const std::filesystem::path& path, std::string_view text) {
  const auto file = files.create(path);
  file->append(std::as_bytes(std::span(text)));
  file->close();
}

std::string get(const FileSystem& files, const std::filesystem::path& path) {
  const auto file = files.open(path);
  std::string text(file->size(), '\0');
  file->read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

// The contract of FileSystem, for each implementation.
void check_contract(FileSystem& files, const std::filesystem::path& folder) {
  put(files, folder / "a", "0123456789");
  EXPECT_THROW(put(files, folder / "a", "again"), Error);
  EXPECT_EQ(get(files, folder / "a"), "0123456789");
  const auto file = files.open(folder / "a");
  char first[3], second[2], none[1];
  const std::span<std::byte> parts[] = {std::as_writable_bytes(std::span(first)),
                                        std::span<std::byte>(),
                                        std::as_writable_bytes(std::span(second))};
  file->read_scattered(4, parts);
  EXPECT_EQ(std::string(first, 3) + std::string(second, 2), "45678");
  EXPECT_THROW(file->read(10, std::as_writable_bytes(std::span(none))), Error);
  file->read(10, {});
  if (const auto mapping = file->map(); mapping.owner != nullptr) {
    EXPECT_EQ(std::memcmp(mapping.bytes.data(), "0123456789", 10), 0);
  }
  const auto out = files.create(folder / "b");
  out->append(std::as_bytes(std::span("abc", 3)));
  out->write_at(5, std::as_bytes(std::span("X", 1)));
  out->append(std::as_bytes(std::span("d", 1)));
  out->sync();
  out->close();
  EXPECT_EQ(get(files, folder / "b"), std::string("abcd\0X", 6));
  files.rename(folder / "b", folder / "a");
  files.sync_folder(folder);
  EXPECT_EQ(files.list(folder), std::vector<std::string>{"a"});
  EXPECT_TRUE(files.is_folder(folder));
  EXPECT_TRUE(files.exists(folder / "a"));
  EXPECT_NE(error_of([&] { files.open(folder); }).find("folder"), std::string::npos);
  EXPECT_EQ(error_of([&] { files.open(folder / "absent"); }).substr(0, 9), "not found");
  {
    AtomicFile abandoned(files, folder / "c");
    abandoned.file().append(std::as_bytes(std::span("half", 4)));
    EXPECT_FALSE(files.exists(folder / "c"));
  }
  EXPECT_EQ(files.list(folder).size(), 1U);
  AtomicFile kept(files, folder / "a");
  kept.file().append(std::as_bytes(std::span("new", 3)));
  EXPECT_EQ(get(files, folder / "a").size(), 6U);
  kept.commit();
  EXPECT_EQ(get(files, folder / "a"), "new");
  EXPECT_EQ(files.list(folder).size(), 1U);
  files.remove(folder / "a");
  EXPECT_THROW(files.remove(folder / "a"), Error);
}

TEST(FileSystem, EveryImplementationKeepsTheContract) {
  const Folder folder;
  check_contract(local_file_system(), folder.path());
  MemoryFileSystem memory;
  check_contract(memory, "folder");
  FaultyFileSystem faulty(memory);
  check_contract(faulty, "other");
}

TEST(FileSystem, WhatIsNoRegularFileIsRefusedWithoutWaiting) {
  const Folder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_NE(error_of([&] { local_file_system().open(folder / "pipe"); }).find("is a pipe"),
            std::string::npos);
  const int number = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (folder / "socket").c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(number, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_NE(error_of([&] { local_file_system().open(folder / "socket"); }).find("is a socket"),
            std::string::npos);
  ::close(number);
  EXPECT_NE(error_of([&] { local_file_system().open("/dev/null"); }).find("is a device"),
            std::string::npos);
  EXPECT_NE(error_of([&] { local_file_system().open(folder.path()); }).find("is a folder"),
            std::string::npos);
}

TEST(AtomicFile, ReplacesWhatALinkLeadsToAndKeepsTheLink) {
  const Folder folder;
  FileSystem& files = local_file_system();
  std::filesystem::create_directory(folder / "real");
  put(files, folder / "real/a", "old");
  std::filesystem::create_symlink("real/a", folder / "near");
  std::filesystem::create_symlink(folder / "near", folder / "far");
  std::filesystem::create_symlink("real/new", folder / "dangling");
  for (const char* name : {"near", "far", "dangling"}) {
    AtomicFile file(files, folder / name);
    file.file().append(std::as_bytes(std::span(std::string_view(name))));
    file.commit();
    EXPECT_TRUE(std::filesystem::is_symlink(folder / name)) << name;
    EXPECT_EQ(get(files, folder / name), name);
  }
  EXPECT_EQ(get(files, folder / "real/a"), "far");
  EXPECT_EQ(get(files, folder / "real/new"), "dangling");
  EXPECT_EQ(files.list(folder / "real").size(), 2U);
}

TEST(AtomicFile, RefusesToReplaceWhatIsNoRegularFile) {
  const Folder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  std::filesystem::create_directory(folder / "folder");
  std::filesystem::create_symlink("pipe", folder / "link");
  std::filesystem::create_symlink("circle", folder / "circle");
  const auto error = [&](const std::filesystem::path& path) {
    return error_of([&] { AtomicFile(local_file_system(), path).commit(); });
  };
  EXPECT_NE(error(folder / "pipe").find("is a pipe; a regular file"), std::string::npos);
  EXPECT_NE(error(folder / "link").find("link' is a pipe; a regular file"), std::string::npos);
  EXPECT_NE(error("/dev/null").find("is a device; a regular file"), std::string::npos);
  EXPECT_NE(error(folder / "folder").find("is a folder; name a file in it"), std::string::npos);
  EXPECT_NE(error(folder / "circle").find("symbolic links"), std::string::npos);
  EXPECT_EQ(local_file_system().list(folder.path()).size(), 4U) << "nothing was left there";
}

TEST(AtomicFile, AProcessThatASignalEndsLeavesNoTemporaryFile) {
  const Folder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGTERM, [](int) {
      remove_temporary_files();
      ::_exit(7);
    });
    AtomicFile first(local_file_system(), folder / "a"), second(local_file_system(), folder / "b");
    first.file().append(std::as_bytes(std::span("half", 4)));
    std::filesystem::current_path("/");
    ::raise(SIGTERM);
    ::_exit(8);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(local_file_system().list(folder.path()), std::vector<std::string>());
}

TEST(AtomicFile, RemovingTemporaryFilesTouchesNeitherFinishedFilesNorAnotherProcess) {
  const Folder folder;
  FileSystem& files = local_file_system();
  for (int i = 0; i < 200; ++i) AtomicFile(files, folder / "kept").commit();
  std::vector<std::unique_ptr<AtomicFile>> open;
  for (int i = 0; i < 3; ++i)
    open.push_back(std::make_unique<AtomicFile>(files, folder / std::to_string(i)));
  const pid_t child = ::fork();
  if (child == 0) {
    remove_temporary_files();  // the files are its parent's
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(files.list(folder.path()).size(), 4U);
  remove_temporary_files();
  EXPECT_EQ(files.list(folder.path()), std::vector<std::string>{"kept"});
  EXPECT_THROW(open[0]->commit(), Error);
}

TEST(FileSystem, AnUnreadableFileSaysSo) {
  const Folder folder;
  std::ofstream(folder / "a") << "text";
  std::filesystem::permissions(folder / "a", std::filesystem::perms::none);
  constexpr uid_t kNobody = 65534;
  const bool is_root = ::geteuid() == 0;  // who reads everything
  if (is_root) {
    ASSERT_EQ(::seteuid(kNobody), 0);
  }
  const std::string error = error_of([&] { local_file_system().open(folder / "a"); });
  if (is_root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  EXPECT_NE(error.find("Permission denied"), std::string::npos) << error;
}

TEST(FileSystem, AFileThatIsCutWhileOpenIsCorruptNotACrash) {
  const Folder folder;
  std::ofstream(folder / "a") << std::string(10000, 'x');
  const auto file = local_file_system().open(folder / "a");
  std::filesystem::resize_file(folder / "a", 100);
  std::vector<std::byte> bytes(1000);
  EXPECT_EQ(error_of([&] { file->read(0, bytes); }).substr(0, 12), "corrupt data");
}

TEST(PageFetcher, KeepsTheMemoryWhileItReadsAndEndsWithItsOwner) {
  for (int round = 0; round < 20; ++round) {
    auto memory = std::make_shared<std::vector<std::byte>>(size_t{1} << (10 + round % 12));
    const std::weak_ptr<const void> watched = memory;
    const std::span<const std::byte> all(*memory);
    auto fetcher = std::make_unique<PageFetcher>(std::exchange(memory, nullptr));
    if (round % 3 > 0) fetcher->start({all.subspan(all.size() / 2), {}, all.first(100)});
    EXPECT_FALSE(watched.expired());
    fetcher = nullptr;  // at once, in the middle of its work or before it
    EXPECT_TRUE(watched.expired());
  }
}

TEST(FileSystem, TextIsReadUpToALimit) {
  const Folder folder;
  std::ofstream(folder / "a") << "text";
  EXPECT_EQ(read_text(folder / "a"), "text");
  EXPECT_THROW(read_text(folder / "a", 3), Error);
}

TEST(ByteReader, NeverReadsPastTheEnd) {
  const std::string text("\x01\x02\x03\x04\x05\x06", 6);
  ByteReader reader(std::as_bytes(std::span(text)), "a header", 100);
  EXPECT_EQ(reader.u32(), 0x04030201U);
  EXPECT_EQ(reader.offset(), 104U);
  EXPECT_NE(error_of([&] { reader.u32(); }).find("4 bytes are wanted at byte 104 but 2 are left"),
            std::string::npos);
  EXPECT_EQ(reader.u8(), 5);
}

std::vector<std::pair<uint32_t, uint64_t>> fields(const std::string& bytes) {
  const auto file = memory_file(bytes, "bytes");
  WireWindow window(*file, 3);  // smaller than most fields, so that every read crosses its end
  WireMessage message(window, {0, bytes.size()});
  std::vector<std::pair<uint32_t, uint64_t>> all;
  for (WireField field; message.next(field);)
    all.emplace_back(field.number,
                     field.type == WireType::kVarint ? field.value : field.bytes.size);
  return all;
}

TEST(ProtobufWire, WalksEveryWireType) {
  using Fields = std::vector<std::pair<uint32_t, uint64_t>>;
  EXPECT_EQ(fields({"\x08\xAC\x02\x12\x03xyz\x1D....\x21........", 22}),
            (Fields{{1, 300}, {2, 3}, {3, 4}, {4, 8}}));
  EXPECT_EQ(fields({"\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11}),
            (Fields{{1, ~uint64_t{0}}}));
  EXPECT_EQ(fields(""), Fields{});
  EXPECT_EQ(fields({"\xF8\xFF\xFF\xFF\x0F\x01", 6}), (Fields{{(1U << 29) - 1, 1}}));
}

TEST(ProtobufWire, RefusesWhatIsNoMessage) {
  const auto refused = [](const std::string& bytes, std::string_view part) {
    const std::string error = error_of([&] { fields(bytes); });
    EXPECT_NE(error.find(part), std::string::npos) << error;
  };
  refused({"\x00\x01", 2}, "has the number 0");
  refused("\x08", "does not end before its message");
  refused({"\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 11}, "more than 64 bits");
  refused({"\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 12}, "more than 64 bits");
  refused("\x0B", "wire type 3");
  refused("\x0C", "wire type 4");
  refused("\x0E", "wire type 6");
  refused("\x12\x02x", "says 2 bytes but its message has 1 left");
  refused({"\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11}, "but its message has 0 left");
  refused("\x1D...", "says 4 bytes");
  refused({"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 10}, "has the number");
}

TEST(Json, ReadsValuesOfEveryKind) {
  const Json root =
      parse_json(R"({"a":[1,-2,18446744073709551615,1.5,"x\u00e9\n",true,null,{}],"b":{"c":[]}})");
  const Json::Array& items = root.at("a").items();
  EXPECT_EQ(items[0].as_int(), 1);
  EXPECT_EQ(items[1].as_int(), -2);
  EXPECT_EQ(items[2].as_uint(), ~uint64_t{0});
  EXPECT_EQ(items[3].as_double(), 1.5);
  EXPECT_EQ(items[0].as_double(), 1);
  EXPECT_EQ(items[4].as_string(), "x\xC3\xA9\n");
  EXPECT_TRUE(items[5].as_bool());
  EXPECT_TRUE(items[6].is_null());
  EXPECT_TRUE(items[7].is_object());
  EXPECT_EQ(root.find("absent"), nullptr);
  EXPECT_EQ(parse_json(" 7 ").as_int(), 7);
  EXPECT_EQ(parse_json("\"s\"").as_string(), "s");
  EXPECT_THROW(items[1].as_uint(), Error);
  EXPECT_THROW(items[2].as_int(), Error);
  EXPECT_THROW(items[0].as_string(), Error);
  EXPECT_THROW(root.at("absent"), Error);
}

TEST(Json, RefusesWhatIsNoJsonWithItsPlace) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "[1,]",
                           "[1 2]",
                           "{\"a\":1,}",
                           "{\"a\" 1}",
                           "{a:1}",
                           "[1}",
                           "{\"a\":1]",
                           "nul",
                           "tru",
                           "01",
                           "-",
                           "1.",
                           "+1",
                           ".5",
                           "1e",
                           "\"a",
                           "\"\\x\"",
                           "\"\x01\"",
                           "[] []",
                           "1 2",
                           "{\"a\":1}}",
                           "[\"\\ud800\"]",
                           "123456789012345678901",
                           "\xFF",
                           "[\"\xFF\"]",
                           "{\"a\":1,\"a\":2}",
                           "[1],",
                           "\"a\" b",
                           "[nulll]",
                           "{\"a\":truee}",
                           "[1e400]",
                           "{1:2}"})
    EXPECT_NE(error_of([&] { parse_json(text); }).find("JSON"), std::string::npos) << text;
  EXPECT_NE(error_of([] { parse_json("[1, 2, x]"); }).find("byte 7"), std::string::npos)
      << error_of([] { parse_json("[1, 2, x]"); });
  EXPECT_NE(error_of([] { parse_json(R"({"a":1,"b":2,"a":3})"); }).find("has 'a' twice"),
            std::string::npos);
}

TEST(PartFile, GrowsOverSeveralOpeningsAndAppearsAtOnce) {
  const Folder folder;
  const auto bytes = [](std::string_view text) { return std::as_bytes(std::span(text)); };
  {
    PartFile part(folder / "a.part");
    EXPECT_EQ(part.size(), 0U);
    part.append(bytes("hello "));
  }
  PartFile part(folder / "a.part");
  EXPECT_EQ(part.size(), 6U);
  part.append(bytes("you"));
  std::string seen;
  part.read([&](std::span<const std::byte> some) {
    seen.append(reinterpret_cast<const char*>(some.data()), some.size());
  });
  EXPECT_EQ(seen, "hello you");
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
  part.move_to(folder / "a");
  EXPECT_EQ(read_text(folder / "a"), "hello you");
  EXPECT_FALSE(std::filesystem::exists(folder / "a.part"));
  PartFile again(folder / "b.part");
  again.append(bytes("x"));
  again.clear();
  EXPECT_EQ(again.size(), 0U);
  again.remove();
  EXPECT_FALSE(std::filesystem::exists(folder / "b.part"));
}

TEST(PartFile, LinksAndFoldersAreRefused) {
  const Folder folder;
  std::filesystem::create_symlink(folder / "elsewhere", folder / "link");
  std::filesystem::create_directory(folder / "sub");
  EXPECT_THROW(PartFile(folder / "link"), Error);
  EXPECT_THROW(PartFile(folder / "sub"), Error);
  EXPECT_THROW(PartFile(folder / "none" / "x"), Error);
  EXPECT_FALSE(std::filesystem::exists(folder / "elsewhere"));
}

TEST(Json, MembersAreVisitedInOrderAsTheTreeHasThem) {
  const std::string text = R"({"b":[1,{"x":null}],"a":"text","":{}})";
  const Json tree = parse_json(text);
  size_t next = 0;
  visit_members(text, {}, [&](const std::string& key, const Json& value) {
    ASSERT_LT(next, tree.members().size());
    EXPECT_EQ(key, tree.members()[next].first);
    EXPECT_EQ(value.kind(), tree.members()[next++].second.kind());
  });
  EXPECT_EQ(next, 3U);
  const auto none = [](const std::string&, const Json&) { ADD_FAILURE() << "visited"; };
  EXPECT_NE(error_of([&] { visit_members(R"({"a":1,"b":2,"a":3})", {}, none); }).find("'a' twice"),
            std::string::npos);
  for (const char* wrong : {"[1]", "7", "{", "", R"({"a")"}) {
    const std::string tree_error = error_of([&] { parse_json(wrong).members(); });
    EXPECT_EQ(error_of([&] { visit_members(wrong, {}, none); }), tree_error) << wrong;
    EXPECT_NE(tree_error, "");
  }
}

TEST(Json, DepthAndSizeAreLimited) {
  const auto nested = [](int depth) {
    return std::string(static_cast<size_t>(depth), '[') +
           std::string(static_cast<size_t>(depth), ']');
  };
  EXPECT_TRUE(parse_json(nested(64)).is_array());
  EXPECT_NE(error_of([&] { parse_json(nested(65)); }).find("nested deeper than 64 at byte 64"),
            std::string::npos);
  EXPECT_NE(error_of([&] { parse_json(nested(1'000'000)); }), "");
  EXPECT_NE(error_of([&] { parse_json(std::string(1'000'000, '[')); }), "");
  EXPECT_NE(error_of([&] { parse_json("[1,2,3]", {.bytes = 6}); }).find("larger than the limit"),
            std::string::npos);
}

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", static_cast<int>(byte));
  return text;
}

std::vector<std::byte> from_hex(std::string_view text) {
  std::vector<std::byte> bytes;
  for (size_t i = 0; i < text.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  return bytes;
}

std::string key_of(std::string_view text) {
  const std::vector<std::byte> bytes = from_hex(text);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Vectors: FIPS 180-2; the GCM specification's test case 4 (first 16 bytes: case 3); NIST
// SP 800-38A F.2.1; GB/T 32907 example 1, whose single block is CBC with an IV of zeros.
TEST(Crypto, AgreesWithThePublishedVectors) {
  EXPECT_EQ(sha256_hex(std::as_bytes(std::span("abc", 3))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

  const std::string gcm_key = key_of("feffe9928665731c6d6a8f9467308308");
  const std::vector<std::byte> nonce = from_hex("cafebabefacedbaddecaf888");
  const std::vector<std::byte> plain = from_hex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6"
      "b525b16aedf5aa0de657ba637b391aafd255");
  std::vector<std::byte> out(plain.size()), tag(kGcmTag);
  gcm_encrypt(gcm_key, nonce, plain, out, tag);
  EXPECT_EQ(hex(out).substr(0, 32), "42831ec2217774244b7221b784d0d49c");
  EXPECT_EQ(hex(tag), "4d5c2af327cd64a62cf35abd2ba6fab4");
  std::vector<std::byte> back(plain.size());
  EXPECT_TRUE(gcm_decrypt(gcm_key, nonce, out, back, tag));
  EXPECT_EQ(back, plain);
  tag[0] ^= std::byte{1};
  EXPECT_FALSE(gcm_decrypt(gcm_key, nonce, out, back, tag));
  EXPECT_TRUE(gcm_decrypt(gcm_key, nonce, out, back, {}));

  const std::string aes = key_of("2b7e151628aed2a6abf7158809cf4f3c");
  const std::vector<std::byte> iv = from_hex("000102030405060708090a0b0c0d0e0f");
  const std::vector<std::byte> block = from_hex("6bc1bee22e409f96e93d7e117393172a");
  std::vector<std::byte> cipher(16);
  cbc_encrypt(Cipher::kAesCbc, aes, iv, block, cipher);
  EXPECT_EQ(hex(cipher), "7649abac8119b246cee98e9b12e9197d");
  cbc_decrypt(Cipher::kAesCbc, aes, iv, cipher, cipher);
  EXPECT_EQ(cipher, block);

  const std::vector<std::byte> sm4_block = from_hex("0123456789abcdeffedcba9876543210");
  const std::vector<std::byte> zeros(16);
  cbc_encrypt(Cipher::kSm4Cbc, key_of("0123456789abcdeffedcba9876543210"), zeros, sm4_block,
              cipher);
  EXPECT_EQ(hex(cipher), "681edf34d206965e86b3e94f536e4246");
}

TEST(Crypto, KeysOfWrongLengthAreRefused) {
  EXPECT_THROW(check_key(Cipher::kAesGcm, "short"), Error);
  EXPECT_THROW(check_key(Cipher::kSm4Cbc, std::string(32, 'k')), Error);
  check_key(Cipher::kAesCbc, std::string(24, 'k'));
  EXPECT_THROW(parse_cipher("DES"), Error);
}

TEST(Crc, AgreesWithThePublishedValueAndJoins) {
  const std::string text = "123456789";
  const auto bytes = std::as_bytes(std::span(text));
  EXPECT_EQ(crc32(0, bytes), 0xCBF43926U);
  EXPECT_EQ(crc32(crc32(0, bytes.first(4)), bytes.subspan(4)), 0xCBF43926U);
  EXPECT_EQ(crc32_joined(crc32(0, bytes.first(4)), crc32(0, bytes.subspan(4)), 5), 0xCBF43926U);
}

}  // namespace
}  // namespace tessera
