#include "tessera/checkpoint/name_map.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tessera/checkpoint/match.h"
#include "tessera/checkpoint/writer.h"
#include "tessera/io/memory_file_system.h"

namespace tessera {
namespace {

using Names = std::vector<std::string>;

/// A file in the folder for temporary ones, gone at the end.
class MapFile {
 public:
  explicit MapFile(const std::string& text)
      : path_(::testing::TempDir() + "tessera_name_map_" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::ofstream(path_) << text;
  }
  ~MapFile() { std::filesystem::remove(path_); }
  NameMap read() const { return read_name_map(Names{path_}); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

template <typename Function>
std::string refusal(const Function& function) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "accepted";
}

const Names kStored{"conv.weight",     "bn.weight",      "bn.bias",
                    "bn.running_mean", "bn.running_var", "bn.num_batches_tracked",
                    "fc.weight",       "fc.bias"};
const Names kWanted{"conv.weight", "bn.moving_mean",   "bn.moving_variance", "bn.gamma",
                    "bn.beta",     "end_point.weight", "end_point.bias"};

TEST(NameMap, AFileHasRulesCommentsAndTheWordPytorch) {
  const MapFile file(
      "# of a small network\n\n  *.num_batches_tracked =\r\nfc.* = end_point.*\npytorch\n");
  const NameMap map = file.read();
  EXPECT_TRUE(map.whole);
  EXPECT_TRUE(map.pytorch);
  EXPECT_EQ(map_names(kStored, map, kWanted),
            (Names{"conv.weight", "bn.gamma", "bn.beta", "bn.moving_mean", "bn.moving_variance", "",
                   "end_point.weight", "end_point.bias"}));
}

TEST(NameMap, RulesAloneMakeNoWholeMapAndComeInTheOrderGiven) {
  const NameMap map = read_name_map(Names{"fc.bias=b", "fc.*=end_point.*"});
  EXPECT_FALSE(map.whole);
  EXPECT_EQ(map_names(Names{"fc.weight", "fc.bias"}, map), (Names{"end_point.weight", "b"}));
}

TEST(NameMap, WithoutANetworkANormIsALayerWithARunningMean) {
  const Names stored{"a.weight", "a.bias", "a.running_mean", "norm.weight", "norm.bias"};
  EXPECT_EQ(map_names(stored, {.pytorch = true}),
            (Names{"a.gamma", "a.beta", "a.moving_mean", "norm.weight", "norm.bias"}));
  const Names wanted{"norm.gamma", "norm.beta", "a.weight", "a.bias", "t.embedding_table"};
  EXPECT_EQ(map_names(Names{"norm.weight", "norm.bias", "a.weight", "a.bias", "t.weight"},
                      {.pytorch = true}, wanted),
            (Names{"norm.gamma", "norm.beta", "a.weight", "a.bias", "t.embedding_table"}));
}

TEST(NameMap, EveryRuleThatMatchesNothingIsNamed) {
  const NameMap map = read_name_map(Names{"fx.*=a.*", "conv.*=c.*", "bm.*=b.*"});
  EXPECT_EQ(refusal([&] { map_names(kStored, map); }),
            "the renaming 'fx.*=a.*' matches no name; the renaming 'bm.*=b.*' matches no name");
  const std::string text = refusal([] { map_names(Names{"a.weight"}, {.pytorch = true}); });
  EXPECT_NE(text.find("'pytorch' changes no name"), std::string::npos) << text;
}

TEST(NameMap, AWholeMapMayLeaveOutWhatAnOlderFileLacks) {
  // PyTorch before 0.4.1 counted no batches; a map that leaves the counters out is for both.
  const Names old{"bn.weight", "bn.bias", "bn.running_mean"};
  const NameMap map = read_name_map(Names{"*.num_batches_tracked=", "pytorch"});
  EXPECT_EQ(map_names(old, map), (Names{"bn.gamma", "bn.beta", "bn.moving_mean"}));
  // Where nothing else would show a slip of the pen it stays an error.
  const NameMap rule = read_name_map(Names{"*.num_batches_tracked="});
  EXPECT_EQ(refusal([&] { map_names(old, rule); }),
            "the renaming '*.num_batches_tracked=' matches no name");
}

TEST(NameMap, AllNamesThatBecomeOneAreNamed) {
  const NameMap map = read_name_map(Names{"fc.*=conv.*", "bn.bias=conv.bias"});
  EXPECT_EQ(refusal([&] { map_names(kStored, map); }),
            "'conv.weight' and 'fc.weight' would both be called 'conv.weight'; 'bn.bias' and "
            "'fc.bias' would both be called 'conv.bias'");
  EXPECT_EQ(refusal([] {
              map_names(Names{"n.weight", "n.gamma"}, {.pytorch = true}, Names{"n.gamma"});
            }),
            "'n.weight' and 'n.gamma' would both be called 'n.gamma'");
}

TEST(NameMap, ALineThatIsNoRuleIsRefusedWithItsNumber) {
  const MapFile file("a=b\n\nnonsense\n");
  const std::string text = refusal([&] { file.read(); });
  EXPECT_NE(text.find("line 3"), std::string::npos) << text;
  EXPECT_NE(text.find("'nonsense' is neither PATTERN=REPLACEMENT nor 'pytorch'"), std::string::npos)
      << text;
  const MapFile stars("a.*=b.*.*\n");
  EXPECT_NE(refusal([&] { stars.read(); }).find("has 2 '*' on the right"), std::string::npos);
}

TEST(NameMap, AWholeMapSendsEveryStoredNameSomewhere) {
  MemoryFileSystem files;
  CheckpointWriter writer("a.ckpt", {.files = &files});
  const float value[] = {1};
  for (const std::string& name : kStored) writer.add(name, Tensor::of<float>(value, {1}));
  writer.finish();
  const Checkpoint checkpoint = open_checkpoint("a.ckpt", {.files = &files});
  std::vector<NetworkParameter> network;
  for (const std::string& name : kWanted) network.push_back({name, DType::kF32, {1}});
  const auto match = [&](const Names& entries) {
    MatchOptions options;
    options.renaming = read_name_map(entries);
    return match_parameters(network, checkpoint.catalog, options);
  };

  try {
    match({});
    ADD_FAILURE() << "names of PyTorch fill nothing";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'--rename pytorch' translates them"),
              std::string::npos)
        << error.what();
  }
  const std::string text = refusal([&] { match({"pytorch"}); });
  for (const char* part : {"3 stored names", "bn.num_batches_tracked, fc.weight, fc.bias",
                           "nothing fills end_point.weight, end_point.bias"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;

  const MatchReport report = match({"*.num_batches_tracked=", "fc.*=end_point.*", "pytorch"});
  EXPECT_EQ(report.matches.size(), network.size());
  EXPECT_TRUE(report.not_used.empty());
}

}  // namespace
}  // namespace tessera
