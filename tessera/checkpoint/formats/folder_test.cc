// Checkpoints that are folders: an index and the safetensors files that it lists.
#include <gtest/gtest.h>

#include <functional>
#include <numeric>

#include "tessera/base/error.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/checkpoint/writer.h"
#include "tessera/io/memory_file_system.h"
#include "tests/support/npy.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

Tensor counted(Shape shape, float first) {
  Tensor tensor(DType::kF32, std::move(shape));
  std::iota(tensor.mutable_data<float>().begin(), tensor.mutable_data<float>().end(), first);
  return tensor;
}

void put_file(MemoryFileSystem& files, const std::string& path,
              const std::vector<std::pair<std::string, Tensor>>& tensors) {
  CheckpointWriter writer(path, {.files = &files});
  for (const auto& [name, tensor] : tensors) writer.add(name, tensor);
  writer.finish();
}

std::string error_of(const MemoryFileSystem& files, const std::string& path) {
  try {
    const Checkpoint checkpoint =
        open_checkpoint(path, {.files = const_cast<MemoryFileSystem*>(&files)});
    load_tensors(checkpoint, targets_of(checkpoint.catalog));
    return "";
  } catch (const Error& error) {
    EXPECT_NE(error.code(), ErrorCode::kInternal);
    return error.what();
  }
}

TEST(Unified, EveryFolderOfMindSporeHoldsTheWholeTensors) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::filesystem::path data = testing::shared_data() / "mindspore/strategy";
  const std::map<std::string, Tensor> wanted = testing::read_npz(data / "full.npz");
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(data / "unified")) {
    const Checkpoint checkpoint = open_checkpoint(entry.path());
    EXPECT_EQ(checkpoint.catalog.records.size(), wanted.size() + 2) << entry.path();
    for (const auto& [name, tensor] : wanted) {
      const Record* record = checkpoint.catalog.find(name);
      ASSERT_NE(record, nullptr) << name;
      const Tensor found = load_record(checkpoint, *record).cast(tensor.dtype());
      EXPECT_EQ(found.shape(), tensor.shape());
      EXPECT_TRUE(std::ranges::equal(found.bytes(), tensor.bytes())) << name;
      ++count;
    }
  }
  EXPECT_EQ(count, 49U);
}

struct UnifiedFolder {
  MemoryFileSystem files;
  UnifiedFolder() {
    put_file(files, "u/part0.safetensors", {{"a", counted({2}, 1)}, {"b", counted({3}, 5)}});
    put_file(files, "u/part1.safetensors", {{"c", counted({1}, 9)}});
    put_file(files, "u/hyper_param.safetensors", {{"lr", counted({}, 2)}});
  }
  std::string error_with(const std::string& map) {
    files.put("u/param_name_map.json", map);
    return error_of(files, "u");
  }
};

TEST(Unified, TheMapMayBeFlatAndMayListTheHyperParameters) {
  UnifiedFolder folder;
  const std::string flat =
      R"({"a":"part0.safetensors","b":"part0.safetensors","c":"part1.safetensors"})";
  for (const std::string& map : {flat, R"({"metadata":{},"weight_map":)" + flat + "}",
                                 replaced(flat, "}", R"(,"lr":"hyper_param.safetensors"})")}) {
    EXPECT_EQ(folder.error_with(map), "");
    const Checkpoint checkpoint = open_checkpoint("u", {.files = &folder.files});
    EXPECT_EQ(checkpoint.catalog.records.size(), 4U);
    EXPECT_EQ(to_string(load_record(checkpoint, *checkpoint.catalog.find("lr"))), "f32[] {2}");
    EXPECT_EQ(to_string(load_record(checkpoint, *checkpoint.catalog.find("c"))), "f32[1] {9}");
  }
}

TEST(Unified, MapsThatLieAreRefused) {
  const std::string good =
      R"({"a":"part0.safetensors","b":"part0.safetensors","c":"part1.safetensors"})";
  const std::vector<std::array<std::string, 3>> cases{
      {R"("c":"part1)", R"("c":"part0)", "part0.safetensors, which lacks it"},
      {R"(,"c":"part1.safetensors")", R"(,"d":"part1.safetensors")", "not in the index"},
      {R"("a":"part0)", R"("a":"part1)", "lists 'a' in part1.safetensors but part0"},
      {R"("a":"part0.safetensors",)", "", "'a' is in part0.safetensors but not in the index"},
      {"part1.safe", "../part1.safe", "no .safetensors file name"},
      {"part1.safe", "x/part1.safe", "no .safetensors file name"},
      {R"("c":"part1.safetensors")", R"("c":"part7.safetensors")", "part7"},
      {R"("c":"part1.safetensors")", R"("c":7)", "a string is wanted"},
      {R"("c":"part1.safetensors")", R"("a":"part1.safetensors")", "'a'"}};
  for (const auto& [from, to, message] : cases) {
    UnifiedFolder folder;
    const std::string error = folder.error_with(replaced(good, from, to));
    EXPECT_NE(error.find(message), error.npos) << to << ": " << error;
  }
  UnifiedFolder folder;
  put_file(folder.files, "v/hyper_param.safetensors", {{"a", counted({}, 2)}});
  put_file(folder.files, "v/part0.safetensors", {{"a", counted({}, 2)}});
  folder.files.put("v/param_name_map.json", R"({"a":"part0.safetensors"})");
  EXPECT_NE(error_of(folder.files, "v").find("two records are called 'a'"), std::string::npos);
  folder.files.put("w/param_name_map.json", "{}");
  EXPECT_NE(error_of(folder.files, "w").find("lists no tensor"), std::string::npos);
}

TEST(Folder, AnIndexThatNamesItselfEndsInAnError) {
  for (const char* name : {"model.safetensors.index.json", "param_name_map.json"}) {
    MemoryFileSystem files;
    files.put(std::string("m/") + name, R"({"weight_map":{"x":"m.safetensors"}})");
    files.put("m/m.safetensors", R"({"weight_map":{"x":"m.safetensors"}})");
    EXPECT_NE(error_of(files, std::string("m/") + name).find("m.safetensors"), std::string::npos);
    EXPECT_NE(error_of(files, "m/m.safetensors"), "");
  }
}

TEST(Folder, TwoIndexesAreRefusedAndOtherMetadataIsNone) {
  UnifiedFolder folder;
  folder.files.put("u/metadata.json", R"({"license":"none"})");
  const std::string good =
      R"({"a":"part0.safetensors","b":"part0.safetensors","c":"part1.safetensors"})";
  EXPECT_EQ(folder.error_with(good), "");
  folder.files.put("u/model.safetensors.index.json", R"({"weight_map":)" + good + "}");
  const std::string two = folder.error_with(good);
  EXPECT_NE(two.find("model.safetensors.index.json and param_name_map.json"), two.npos) << two;
}

/// "w" [4,2] by rows over two ranks, "b" [2] on both, "step" which the metadata does not list.
struct MindFormersFolder {
  MemoryFileSystem files;
  std::string text = R"J({"state_dict_metadata":{
    "w":{"properties":{"dtype":"Float32","replica_id":0,"allow_shape_mismatch":false,
         "allow_to_save":true},"global_shape":[4,2],"axis_fragmentations":[2,1],
         "layout":{"device_matrix":[1,2],"tensor_map":[0,-1],"interleaved_parallel":false,
                   "alias_name":["dp","tp"],"rank_list":[0,1]},
         "chunk":[{"global_offset":[0],"local_shape":[2,2]},
                  {"global_offset":[1],"local_shape":[2,2]}]},
    "b":{"properties":{"dtype":"Float32"},"global_shape":[2],"axis_fragmentations":[1],
         "layout":null,"chunk":[{"global_offset":[0],"local_shape":[2]}]}},
   "storage_data":{
    "('w', (0,))":[{"file_name":"m-0.safetensors","storage_rank":0,"rank_group":[0]}],
    "('w', (1,))":[{"file_name":"m-1.safetensors","storage_rank":1,"rank_group":[1]}],
    "('b', (0,))":[{"file_name":"m-0.safetensors","storage_rank":0},
{"file_name":"m-1.safetensors","storage_rank":1}]}})J";

  MindFormersFolder() {
    for (int rank = 0; rank < 2; ++rank)
      put_file(files, fmt::format("f/m-{}.safetensors", rank),
               {{"w", counted({2, 2}, static_cast<float>(4 * rank))},
                {"b", counted({2}, 50)},
                {"step", counted({}, 7)}});
  }
  std::string error_with(std::string_view from, std::string_view to) {
    files.put("f/metadata.json", replaced(text, from, to));
    return error_of(files, "f");
  }
};

TEST(MindFormers, PartsBecomePiecesAndReplicasTooStay) {
  MindFormersFolder folder;
  folder.files.put("f/metadata.json", folder.text);
  const Checkpoint checkpoint = open_checkpoint("f", {.files = &folder.files});
  const Catalog& catalog = checkpoint.catalog;
  EXPECT_EQ(catalog.names(), (std::vector<std::string>{"w", "b", "step"}));
  EXPECT_EQ(to_string(load_record(checkpoint, *catalog.find("w"))),
            "f32[4,2] {0, 1, 2, 3, 4, 5, 6, 7}");
  EXPECT_EQ(box_of(*catalog.find("w"), catalog.find("w")->pieces.at(1)), (Box{{2, 0}, {2, 2}}));
  EXPECT_EQ(catalog.find("b")->pieces.size(), 2U);
  EXPECT_EQ(catalog.find("step")->pieces.size(), 2U);
  EXPECT_TRUE(catalog.deviations.empty());
}

TEST(MindFormers, MetadataThatLiesIsRefused) {
  const std::vector<std::array<std::string, 3>> cases{
      {R"("dtype":"Float32")", R"("dtype":"Float16")", "the metadata says f16[2,2] but"},
      {R"("dtype":"Float32")", R"("dtype":"Quux")", "the dtype 'Quux'"},
      {R"("global_shape":[4,2])", R"("global_shape":[5,2])", "not equal"},
      {R"("global_shape":[4,2])", R"("global_shape":[4])", "which has 2 dims"},
      {R"("global_shape":[4,2])", R"("global_shape":[-4,2])", "below 0"},
      {R"("global_shape":[4,2])", R"("global_shape":[4611686018427387904,4])", "2^63"},
      {R"("global_shape":[4,2])", R"("global_shape":[4,4])", "local_shape"},
      {R"("axis_fragmentations":[2,1])", R"("axis_fragmentations":[0,1])", "below 1"},
      {R"("axis_fragmentations":[2,1])", R"("axis_fragmentations":[1,2])", "local_shape"},
      {R"("global_offset":[1])", R"("global_offset":[2])", "into 2 parts"},
      {R"("global_offset":[1])", R"("global_offset":[0])", "listed twice"},
      {R"("global_offset":[1])", R"("global_offset":[2,0])", "one number"},
      {R"("global_offset":[1])", R"("global_offset":[-1])", "below 0"},
      {R"("local_shape":[2,2])", R"("local_shape":[2,1])", "local_shape"},
      {R"("tensor_map":[0,-1])", R"("tensor_map":[-1,0])", "by the layout"},
      {R"("tensor_map":[0,-1])", R"("tensor_map":[2,-1])", "has 2 dims"},
      {R"("tensor_map":[0,-1])", R"("tensor_map":[0])", "tensor_map has 1 dims"},
      {R"("rank_list":[0,1])", R"("rank_list":[1,0])", "by the layout"},
      {R"("rank_list":[0,1])", R"("rank_list":[0,1,2])", "rank_list of 3"},
      {R"("device_matrix":[1,2])", R"("device_matrix":[4294967296,4294967296])", "2^63"},
      {"('w', (1,))", "('w', (2,))", "does not say where"},
      {R"J("('w', (1,))")J", R"J("('x', (0,))":[],"('w', (1,))")J", "which state_dict_metadata"},
      {R"([{"file_name":"m-1.safetensors","storage_rank":1,"rank_group":[1]}])", "[]", "no file"},
      {"m-1.safetensors", "../m-1.safetensors", "no .safetensors"},
      {"m-1.safetensors", "/m-1.safetensors", "no .safetensors"},
      {"m-1.safetensors", "m-1.ckpt", "no .safetensors"},
      {R"("m-1.safetensors","storage_rank":1,)", R"("m-0.safetensors","storage_rank":1,)", "twice"},
      {R"("m-1.safetensors","storage_rank":1,)", R"("m-9.safetensors","storage_rank":1,)",
       "[2,0]+[2,2] are in m-9.safetensors only"},
      {R"("storage_rank":1,)", R"("storage_rank":-1,)", "is no rank"},
      {R"("storage_rank":1,)", R"("storage_rank":0,)", "by the layout"},
      {",\n{\"file_name\":\"m-1.safetensors\",\"storage_rank\":1}]", "]",
       "a part of 'b' that storage_data does not list"}};
  for (const auto& [from, to, message] : cases) {
    MindFormersFolder folder;
    const std::string error = folder.error_with(from, to);
    EXPECT_NE(error.find(message), error.npos) << from << " -> " << to << ": " << error;
  }
}

TEST(MindFormers, ReplicasReplaceAFileThatIsNotThere) {
  MindFormersFolder folder;
  folder.files.put("f/metadata.json",
                   replaced(folder.text, R"({"file_name":"m-1.safetensors","storage_rank":1}])",
                            R"({"file_name":"m-2.safetensors","storage_rank":2},
                              {"file_name":"m-1.safetensors","storage_rank":1}])"));
  const Checkpoint checkpoint = open_checkpoint("f", {.files = &folder.files});
  EXPECT_EQ(checkpoint.catalog.find("b")->pieces.size(), 2U);
  ASSERT_EQ(checkpoint.catalog.deviations.size(), 1U);
  EXPECT_NE(checkpoint.catalog.deviations[0].find("m-2.safetensors"), std::string::npos);
}

TEST(MindFormers, UnlistedTensorsMustAgree) {
  MindFormersFolder folder;
  folder.files.remove("f/m-1.safetensors");
  put_file(folder.files, "f/m-1.safetensors",
           {{"w", counted({2, 2}, 4)}, {"b", counted({2}, 50)}, {"step", counted({2}, 7)}});
  folder.files.put("f/metadata.json", folder.text);
  const std::string error = error_of(folder.files, "f");
  EXPECT_NE(error.find("'step'"), error.npos) << error;
}

}  // namespace
}  // namespace tessera
