#include "tessera/reshard/output.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "tessera/base/error.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/checkpoint/writer.h"
#include "tessera/io/json.h"
#include "tessera/io/memory_file_system.h"
#include "tests/support/error_of.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

using testing::error_of;

Record tensor_record(std::string name, Shape shape, DType dtype = DType::kF32) {
  Record record;
  record.name = std::move(name);
  record.dtype = dtype;
  record.shape = std::move(shape);
  return record;
}

/// Two ranks: "w" [4,6] by columns, "b" [3] with 2 and 1 elements, "s" a string on both.
struct TwoRanks {
  Catalog catalog;
  Destination destination;

  TwoRanks() {
    catalog.records.push_back(tensor_record("w", {4, 6}));
    catalog.records.push_back(tensor_record("b", {3}, DType::kBF16));
    destination.slices = {{{{0, 0}, {4, 3}}}, {{{0, 3}, {4, 3}}}, {{{0}, {2}}}, {{{2}, {1}}}};
    destination.ranks = {{{0, 0}, {1, 2}}, {{0, 1}, {1, 3}}};
  }
  OutputRequest request() const { return {catalog, destination}; }
  void add_string() {
    Record record = tensor_record("s", {5}, DType::kU32);
    record.kind = RecordKind::kString;
    catalog.records.push_back(record);
    for (auto& rank : destination.ranks) rank.push_back({2, 0});
  }
};

TEST(Output, TheRegistryHoldsTheFormsByName) {
  for (const char* name : {"ckpt", "safetensors"}) EXPECT_EQ(find_output(name).name(), name);
  const std::string error = error_of([] { find_output("ckp"); });
  EXPECT_NE(error.find("'ckpt'"), error.npos) << error;
  EXPECT_NE(error.find("safetensors"), error.npos) << error;
  for (const OutputFormat* output : all_outputs()) EXPECT_FALSE(output->doc().empty());
}

TEST(Output, EachRankHasItsFile) {
  TwoRanks two;
  two.add_string();
  OutputRequest request = two.request();
  request.prefix = "net";
  const OutputSet set = find_output("ckpt").lay_out(request);
  ASSERT_EQ(set.files.size(), 2U);
  EXPECT_TRUE(set.texts.empty());
  EXPECT_EQ(set.files[1].path, "rank_1/net1.ckpt");
  EXPECT_EQ(set.files[1].rank, 1);
  EXPECT_EQ(set.files[1].entries, two.destination.ranks[1]);
  TwoRanks plain;
  EXPECT_EQ(find_output("safetensors").lay_out(plain.request()).files[0].path,
            "rank_0/model0.safetensors");
}

TEST(Output, ALocalShapeAddsUpSlicesAlongDim0) {
  TwoRanks two;
  two.destination.slices.push_back({{{0, 0}, {1, 6}}, {{2, 0}, {2, 6}}});
  EXPECT_EQ(local_shape(two.request(), {0, 4}), (Shape{3, 6}));
  EXPECT_EQ(local_shape(two.request(), {0, 1}), (Shape{4, 3}));
}

TEST(Output, NamesWhatAFormCannotHold) {
  TwoRanks strings;
  strings.add_string();
  const std::string no_string =
      error_of([&] { find_output("safetensors").lay_out(strings.request()); });
  EXPECT_NE(no_string.find("'s'"), no_string.npos) << no_string;
  TwoRanks nothing;
  nothing.destination.slices[3] = {{{3}, {0}}};
  const std::string no_element = error_of([&] { find_output("ckpt").lay_out(nothing.request()); });
  EXPECT_NE(no_element.find("rank 1 holds no element of 'b'"), no_element.npos) << no_element;
  EXPECT_EQ(find_output("safetensors").lay_out(nothing.request()).files.size(), 2U);
  TwoRanks complex;
  complex.catalog.records[1].dtype = DType::kC128;
  EXPECT_NE(error_of([&] { find_output("safetensors").lay_out(complex.request()); }), "");
  EXPECT_EQ(error_of([&] { find_output("ckpt").lay_out(complex.request()); }), "");
  TwoRanks prefixed;
  OutputRequest request = prefixed.request();
  request.prefix = "../x";
  EXPECT_NE(error_of([&] { find_output("ckpt").lay_out(request); }), "");
}

/// A catalog with its values, and an arrangement of them.
struct Values {
  Catalog catalog;
  Destination destination;
  std::vector<Tensor> tensors;

  void add(std::string name, DType dtype, Shape shape, std::mt19937& random) {
    catalog.records.push_back(tensor_record(std::move(name), shape, dtype));
    Tensor tensor(dtype, shape);
    for (std::byte& byte : tensor.mutable_bytes()) byte = static_cast<std::byte>(random());
    tensors.push_back(std::move(tensor));
  }
  void hold(size_t rank, uint32_t record, Box box) {
    destination.slices.push_back({std::move(box)});
    destination.ranks.at(rank).push_back(
        {record, static_cast<uint32_t>(destination.slices.size() - 1)});
  }
  /// All on one rank.
  void hold_whole() {
    destination.ranks.resize(1);
    for (uint32_t i = 0; i < catalog.records.size(); ++i)
      hold(0, i, whole(catalog.records[i].shape));
  }
  OutputRequest request() const { return {catalog, destination}; }
};

/// Does what a plan does, slowly: every file, then every text.
void write_set(const Values& values, const OutputSet& set, MemoryFileSystem& files) {
  for (const OutputFile& file : set.files) {
    CheckpointWriter writer("out" / file.path, {.metadata = file.metadata, .files = &files});
    for (const Holding& entry : file.entries) {
      const Box& box = values.destination.slices[entry.slices].at(0);
      writer.add(values.catalog.records[entry.record].name,
                 values.tensors[entry.record].slice(box).contiguous());
    }
    writer.finish();
  }
  for (const OutputText& text : set.texts) files.put("out" / text.path, text.text);
}

/// Opens the folder "out" and compares every tensor, and every replica, with what was written.
void expect_read_back(const Values& values, MemoryFileSystem& files) {
  const Checkpoint back = open_checkpoint("out", {.files = &files});
  ASSERT_EQ(back.catalog.records.size(), values.catalog.records.size());
  for (size_t i = 0; i < values.tensors.size(); ++i) {
    const Tensor& wanted = values.tensors[i];
    const Record* record = back.catalog.find(values.catalog.records[i].name);
    ASSERT_NE(record, nullptr);
    const Tensor found = load_record(back, *record);
    EXPECT_EQ(found.shape(), wanted.shape());
    EXPECT_EQ(found.dtype(), wanted.dtype());
    EXPECT_TRUE(std::ranges::equal(found.bytes(), wanted.bytes())) << record->name;
    for (const Piece& piece : record->pieces) {
      const Tensor part = wanted.slice(box_of(*record, piece)).contiguous();
      std::vector<std::byte> bytes(piece.bytes.size);
      back.bytes->file(piece.file).read(piece.bytes.offset, bytes);
      EXPECT_TRUE(std::ranges::equal(bytes, part.bytes())) << record->name;
    }
  }
}

TEST(Output, UnifiedPutsTheLargestTensorsFirstIntoTheSmallestPart) {
  Values values;
  constexpr int64_t kGiB = int64_t{1} << 30;
  const std::vector<std::pair<const char*, int64_t>> sizes{
      {"a", kGiB}, {"b", 4 * kGiB}, {"c", 2 * kGiB}, {"lr", 4}, {"d", 2 * kGiB}, {"e", 7}};
  for (const auto& [name, bytes] : sizes)
    values.catalog.records.push_back(tensor_record(name, {bytes}, DType::kU8));
  values.hold_whole();
  OutputRequest request = values.request();
  request.unnamed = {3};
  const OutputSet set = find_output("unified").lay_out(request);
  // 9 GiB and 7 bytes: four parts. b | c | d | a, then e into the smallest.
  ASSERT_EQ(set.files.size(), 5U);
  const std::vector<std::vector<uint32_t>> wanted{{1}, {2}, {4}, {0, 5}, {3}};
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(set.files[i].path,
              i < 4 ? fmt::format("part{}.safetensors", i) : "hyper_param.safetensors");
    std::vector<uint32_t> found;
    for (const Holding& entry : set.files[i].entries) found.push_back(entry.record);
    EXPECT_EQ(found, wanted[i]) << i;
  }
  ASSERT_EQ(set.texts.size(), 1U);
  const Json map = parse_json(set.texts[0].text);
  EXPECT_EQ(map.at("metadata").at("total_size").as_int(), 9 * kGiB + 7);
  EXPECT_EQ(map.at("weight_map").at("e").as_string(), "part3.safetensors");
  EXPECT_EQ(map.at("weight_map").find("lr"), nullptr);
}

TEST(Output, UnifiedIsTheMapThatMindSporeWrites) {
  TESSERA_NEEDS_SHARED_DATA();
  const std::filesystem::path folder = testing::shared_data() / "mindspore/strategy/unified/tp8";
  const Checkpoint source = open_checkpoint(folder);
  Values values;
  values.catalog = source.catalog;
  values.hold_whole();
  OutputRequest request = values.request();
  for (const char* name : {"learning_rate", "global_step"})
    request.unnamed.insert(static_cast<uint32_t>(*source.catalog.index_of(name)));
  const OutputSet set = find_output("unified").lay_out(request);
  EXPECT_EQ(set.texts.at(0).text, read_text(folder / "param_name_map.json"));
  ASSERT_EQ(set.files.size(), 2U);
  for (const OutputFile& file : set.files) {
    std::vector<SaveEntry> entries;
    for (const Holding& entry : file.entries) {
      const Record& record = source.catalog.records[entry.record];
      entries.push_back({.name = record.name, .dtype = record.dtype, .shape = record.shape});
    }
    for (const CheckpointFormat* format : all_formats()) {
      if (format->suffix() != ".safetensors") continue;
      const FileImage image = format->image(entries, {.metadata = file.metadata});
      const std::string wanted = read_text(folder / file.path);
      EXPECT_EQ(image.size, wanted.size()) << file.path;
      EXPECT_EQ(image.fixed.at(0).bytes, wanted.substr(0, image.fixed[0].bytes.size()));
    }
  }
}

TEST(Output, HuggingFaceOpensANewFileWhereTheNextTensorWouldNotFit) {
  Values values;
  constexpr int64_t kGB = 1'000'000'000;
  const std::vector<std::pair<const char*, int64_t>> sizes{
      {"z", 3 * kGB}, {"y", 2 * kGB}, {"x", 1}, {"huge", 6 * kGB}, {"w", 5 * kGB - 1}};
  for (const auto& [name, bytes] : sizes)
    values.catalog.records.push_back(tensor_record(name, {bytes}, DType::kU8));
  values.hold_whole();
  const OutputSet set = find_output("hf").lay_out(values.request());
  // z y fill a file; x waits; huge stands alone and comes first; x and w fit together.
  const std::vector<std::vector<uint32_t>> wanted{{0, 1}, {3}, {2, 4}};
  ASSERT_EQ(set.files.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(set.files[i].path, fmt::format("model-{:05}-of-00003.safetensors", i + 1));
    EXPECT_EQ(set.files[i].metadata.at("format"), "pt");
    std::vector<uint32_t> found;
    for (const Holding& entry : set.files[i].entries) found.push_back(entry.record);
    EXPECT_EQ(found, wanted[i]) << i;
  }
  EXPECT_EQ(set.texts.at(0).path, "model.safetensors.index.json");
  const Json index = parse_json(set.texts[0].text);
  EXPECT_EQ(index.at("metadata").at("total_size").as_int(), 16 * kGB);
  EXPECT_EQ(index.at("weight_map").members().front().first, "huge");
  Values small;
  std::mt19937 random(3);
  small.add("a", DType::kF16, {3}, random);
  small.hold_whole();
  const OutputSet one = find_output("hf").lay_out(small.request());
  EXPECT_TRUE(one.texts.empty());
  EXPECT_EQ(one.files.at(0).path, "model.safetensors");
}

TEST(Output, WholeFormsReadBackEqual) {
  std::mt19937 random(4);
  for (const char* name : {"unified", "hf"}) {
    Values values;
    values.add("net.w", DType::kF32, {3, 4}, random);
    values.add("net.\"q\"", DType::kBF16, {2}, random);
    values.add("scalar", DType::kI64, {}, random);
    values.add("nothing", DType::kF32, {0, 3}, random);
    values.hold_whole();
    OutputRequest request = values.request();
    request.unnamed = {2};
    MemoryFileSystem files;
    write_set(values, find_output(name).lay_out(request), files);
    expect_read_back(values, files);
  }
}

TEST(Output, WholeFormsRefuseParts) {
  TwoRanks two;
  EXPECT_NE(error_of([&] { find_output("hf").lay_out(two.request()); }), "");
  two.destination.ranks.resize(1);
  const std::string part = error_of([&] { find_output("unified").lay_out(two.request()); });
  EXPECT_NE(part.find("'w'"), part.npos) << part;
}

/// `count` parts of a shape over ranks in any order, some of them on several ranks.
void scatter(Values& values, uint32_t record, const Shape& parts, std::mt19937& random) {
  const Shape& shape = values.catalog.records[record].shape;
  const auto count = static_cast<size_t>(element_count(parts));
  std::vector<size_t> ranks(values.destination.ranks.size());
  std::iota(ranks.begin(), ranks.end(), size_t{0});
  std::shuffle(ranks.begin(), ranks.end(), random);
  const size_t holders = count + random() % (ranks.size() - count + 1);
  for (size_t i = 0; i < holders; ++i) {
    auto number = static_cast<int64_t>(i < count ? i : random() % count);
    Box box{Shape(shape.size()), Shape(shape.size())};
    for (size_t d = shape.size(); d-- > 0;) {
      box.size[d] = shape[d] / parts[d];
      box.begin[d] = number % parts[d] * box.size[d];
      number /= parts[d];
    }
    values.hold(ranks[i], record, box);
  }
}

TEST(Output, MindFormersReadsBackEveryPartOfAnyEvenCut) {
  std::mt19937 random(5);
  for (int round = 0; round < 60; ++round) {
    Values values;
    values.destination.ranks.resize(8);
    const std::vector<std::pair<Shape, Shape>> cuts{
        {{8, 12}, {2, 3}}, {{8, 12}, {1, 4}}, {{4, 2, 6}, {2, 1, 3}}, {{16}, {8}},
        {{}, {}},          {{5, 3}, {1, 1}},  {{0, 4}, {1, 1}}};
    for (uint32_t i = 0; i < cuts.size(); ++i) {
      values.add(fmt::format("net.'{}'", i), i % 2 == 0 ? DType::kF32 : DType::kBF16, cuts[i].first,
                 random);
      scatter(values, i, cuts[i].second, random);
    }
    values.add("on all", DType::kI32, {3}, random);
    for (size_t rank = 0; rank < 8; ++rank) values.hold(rank, 7, whole({3}));
    OutputRequest request = values.request();
    request.prefix = round % 2 == 0 ? "llama" : "";
    const OutputSet set = find_output("mindformers").lay_out(request);
    EXPECT_EQ(set.files.at(3).path, round % 2 == 0 ? "llama-model-0000003-0000008.safetensors"
                                                   : "model-0000003-0000008.safetensors");
    MemoryFileSystem files;
    write_set(values, set, files);
    expect_read_back(values, files);
  }
}

TEST(Output, MindFormersRefusesUnevenCutsAndMissingParts) {
  TwoRanks uneven;
  const std::string error = error_of([&] { find_output("mindformers").lay_out(uneven.request()); });
  EXPECT_NE(error.find("'b' bf16[3]"), error.npos) << error;
  TwoRanks missing;
  missing.destination.ranks[1][0].slices = 0;
  missing.destination.ranks[1].pop_back();
  missing.destination.ranks[0].pop_back();
  const std::string lost = error_of([&] { find_output("mindformers").lay_out(missing.request()); });
  EXPECT_NE(lost.find("a part is missing"), lost.npos) << lost;
}

}  // namespace
}  // namespace tessera
