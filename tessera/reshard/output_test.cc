#include "tessera/reshard/output.h"

#include <gtest/gtest.h>

#include "tessera/base/error.h"

namespace tessera {
namespace {

Record tensor_record(std::string name, Shape shape, DType dtype = DType::kF32) {
  Record record;
  record.name = std::move(name);
  record.dtype = dtype;
  record.shape = std::move(shape);
  return record;
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
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

}  // namespace
}  // namespace tessera
