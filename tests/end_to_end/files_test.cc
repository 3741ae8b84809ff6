// inspect, verify, convert.
#include <fmt/format.h>
#include <sys/stat.h>

#include "tests/end_to_end/program_fixture.h"

namespace tessera::testing {
namespace {

class Files : public ProgramTest {
 protected:
  static std::string succeed(const std::vector<std::string>& arguments) {
    const Outcome outcome = run_tessera(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  }
  static std::string refuse(const std::vector<std::string>& arguments, int status = 1) {
    const Outcome outcome = run_tessera(arguments);
    EXPECT_EQ(outcome.status, status) << outcome.out << outcome.err;
    EXPECT_EQ(outcome.err.rfind("error:", 0), 0U) << outcome.err;
    return outcome.err;
  }
  std::string weights_ = digits("lenet5_digits.ckpt");
};

TEST_F(Files, InspectListsEveryTensorAndSaysThatThereIsNoChecksum) {
  const std::string out = succeed({"inspect", weights_});
  for (const char* text :
       {"conv1.weight", "[6,1,5,5]", "fc3.bias", "61684 elements", "no checksum"})
    EXPECT_NE(out.find(text), std::string::npos) << text << "\n" << out;
  EXPECT_EQ(number_in(succeed({"inspect", weights_, "--json"}), "entries"), 8);
}

TEST_F(Files, AFolderWithAnIndexIsOneCheckpoint) {
  const std::string folder = in_folder("parts");
  std::filesystem::create_directory(folder);
  const auto part = [&](const char* name, const char* only) {
    succeed({"convert", weights_, folder + "/" + name, "--only", only, "--crc"});
  };
  part("part0.safetensors", "conv*");
  part("hyper_param.safetensors", "fc*");
  write_file(folder + "/param_name_map.json",
             R"({"conv1.weight":"part0.safetensors","conv2.weight":"part0.safetensors"})");
  EXPECT_EQ(number_in(succeed({"inspect", folder, "--json"}), "entries"), 8);
  const std::string one = succeed({"verify", weights_, "--json", "--threads", "1"});
  const std::string all = succeed({"verify", folder, "--json", "--mmap"});
  const auto digest = [](const std::string& text) { return text.substr(text.find("\"digest\"")); };
  EXPECT_EQ(digest(one).substr(0, 80), digest(all).substr(0, 80));
  for (const char* text : {"part0.safetensors\", \"crc\": \"verified\"",
                           "hyper_param.safetensors\", \"crc\": \"verified\""})
    EXPECT_NE(all.find(text), std::string::npos) << text << "\n" << all;
}

TEST_F(Files, ThereAndBackThroughSafetensorsGivesTheSameBytes) {
  succeed({"convert", weights_, in_folder("a.safetensors")});
  succeed({"convert", in_folder("a.safetensors"), in_folder("b.ckpt")});
  succeed({"convert", in_folder("b.ckpt"), in_folder("c.safetensors")});
  EXPECT_EQ(read_file(in_folder("a.safetensors")), read_file(in_folder("c.safetensors")));
  succeed({"convert", weights_, in_folder("d.ckpt")});
  EXPECT_EQ(read_file(weights_), read_file(in_folder("d.ckpt")));
}

TEST_F(Files, AnEncryptedCopyOpensWithItsKeyOnly) {
  write_file(in_folder("key"), "0123456789ABCDEF");
  write_file(in_folder("other"), "FFFFFFFFFFFFFFFF");
  for (const char* cipher : {"AES-GCM", "AES-CBC", "SM4-CBC"}) {
    const std::string secret = in_folder(std::string(cipher) + ".ckpt");
    succeed({"convert", weights_, secret, "--encrypt", "--cipher", cipher, "--key-file",
             in_folder("key")});
    refuse({"inspect", secret});
    refuse({"inspect", secret, "--key-file", in_folder("other")});
    EXPECT_NE(succeed({"inspect", secret, "--key-file", in_folder("key")}).find(cipher),
              std::string::npos);
    const std::string plain = in_folder(std::string(cipher) + "_plain.ckpt");
    succeed({"convert", secret, plain, "--decrypt", "--key-file", in_folder("key")});
    EXPECT_EQ(read_file(plain), read_file(weights_));
  }
}

TEST_F(Files, VerifyFindsADamagedByteThroughTheCrc) {
  const std::string path = in_folder("crc.ckpt");
  succeed({"convert", weights_, path, "--crc"});
  succeed({"verify", path});
  std::string bytes = read_file(path);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  const std::string damaged = in_folder("damaged.ckpt");
  write_file(damaged, bytes);
  const std::string error = refuse({"verify", damaged});
  EXPECT_NE(error.find("CRC"), std::string::npos) << error;
  EXPECT_NE(error.find("damaged.ckpt"), std::string::npos) << error;
}

TEST_F(Files, ConvertRenamesCastsAndSelects) {
  const std::string path = in_folder("out.safetensors");
  succeed({"convert", weights_, path, "--only", "fc*", "--only", "head*", "--rename",
           "fc*.weight=head*.kernel", "--cast", "f16"});
  const std::string json = succeed({"inspect", path, "--json"});
  EXPECT_NE(json.find("\"head1.kernel\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"fc1.bias\""), std::string::npos);
  EXPECT_EQ(json.find("conv1"), std::string::npos);
  EXPECT_EQ(json.find("\"f32\""), std::string::npos);
}

TEST_F(Files, AFolderThatHoldsOneCheckpointIsThatCheckpoint) {
  std::filesystem::create_directory(in_folder("one"));
  std::filesystem::copy(weights_, in_folder("one/a.ckpt"));
  succeed({"verify", in_folder("one")});
  succeed({"explain", "lenet5", "--weights", in_folder("one")});
}

TEST_F(Files, ConvertDoesNotCarryADamagedTensorOn) {
  const std::string path = in_folder("crc.ckpt");
  succeed({"convert", weights_, path, "--crc"});
  std::string bytes = read_file(path);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write_file(path, bytes);
  refuse({"convert", path, in_folder("out.ckpt"), "--crc"});
  EXPECT_FALSE(std::filesystem::exists(in_folder("out.ckpt")));
}

TEST_F(Files, ACastThatWouldMakeInfinitiesIsRefusedUnlessAllowed) {
  // One f32 tensor "a" [1] of value 1e6, in the byte order of the format.
  const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  const float value = 1e6F;
  file += header;
  file.append(reinterpret_cast<const char*>(&value), 4);
  write_file(in_folder("big.safetensors"), file);
  const std::vector<std::string> cast{"convert", in_folder("big.safetensors"), in_folder("o.ckpt"),
                                      "--cast", "f16"};
  EXPECT_NE(refuse(cast).find("'a'"), std::string::npos);
  std::vector<std::string> allowed = cast;
  allowed.insert(allowed.end(), {"--allow", "a"});
  succeed(allowed);
}

TEST_F(Files, AnAllowanceThatMeansNothingIsRefused) {
  EXPECT_NE(refuse({"inspect", weights_, "--allow", "fc9.*"}).find("fc9"), std::string::npos);
  EXPECT_NE(refuse({"inspect", weights_, "--allow", "short_contnet:fc1*"}).find("short_content"),
            std::string::npos);
  succeed({"inspect", weights_, "--allow", "short_content:fc1*"});
}

TEST_F(Files, AnInterruptLeavesNoTemporaryFile) {
  for (int round = 0; round < 20; ++round) {
    const std::string delay = fmt::format("{:.3f}", 0.002 * round);
    run_program({"bash", "-c",
                 "\"$TESSERA_PROGRAM\" convert \"$0\" \"$1\" & sleep " + delay +
                     "; kill -INT $! 2>/dev/null; wait $!",
                 weights_, in_folder("k.ckpt")});
    for (const auto& entry : std::filesystem::directory_iterator(folder()))
      EXPECT_EQ(entry.path().filename(), "k.ckpt");
  }
}

TEST_F(Files, ARefusedConversionLeavesTheDestinationAsItWas) {
  const std::string path = in_folder("kept.ckpt");
  write_file(path, "precious");
  write_file(in_folder("key"), "0123456789ABCDEF");
  refuse({"convert", weights_, path, "--encrypt", "--crc", "--key-file", in_folder("key")}, 2);
  refuse({"convert", weights_, path, "--rename", "fc*.weight=same"});
  EXPECT_EQ(read_file(path), "precious");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder()), {}), 2);
}

TEST_F(Files, WhatIsNoCheckpointIsNamedForWhatItIs) {
  refuse({"inspect", in_folder("absent.ckpt")});
  ASSERT_EQ(mkfifo(in_folder("pipe.ckpt").c_str(), 0600), 0);
  refuse({"inspect", in_folder("pipe.ckpt")});
  write_file(in_folder("empty.ckpt"), "");
  refuse({"inspect", in_folder("empty.ckpt")});
  write_file(in_folder("text.ckpt"), "hello there, this is no checkpoint\n");
  EXPECT_NE(refuse({"inspect", in_folder("text.ckpt")}).find("text.ckpt"), std::string::npos);
}

TEST_F(Files, AFullDiskIsAnErrorThatLeavesNothing) {
  const Outcome outcome =
      run_program({"bash", "-c", "ulimit -f 16; exec \"$TESSERA_PROGRAM\" convert \"$0\" \"$1\"",
                   weights_, in_folder("big.ckpt")});
  EXPECT_EQ(outcome.status, 1) << outcome.err;
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder()), {}), 0) << outcome.err;
}

}  // namespace
}  // namespace tessera::testing
