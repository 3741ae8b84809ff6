#include "tessera/checkpoint/match.h"

#include <gtest/gtest.h>

#include <set>

#include "tessera/base/error.h"
#include "tessera/checkpoint/writer.h"
#include "tessera/io/crypto.h"
#include "tessera/io/json.h"
#include "tessera/io/memory_file_system.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

std::filesystem::path folder() {
  return testing::shared_data() / "mindspore" / "ckpt";
}

std::vector<std::string> strings(const Json& value) {
  std::vector<std::string> all;
  for (const Json& item : value.items()) all.push_back(item.as_string());
  return all;
}

Shape shape_of(const Json& value) {
  Shape shape;
  for (const Json& dim : value.items()) shape.push_back(dim.as_int());
  return shape;
}

DType dtype_called(const std::string& name) {
  for (int i = 0; i < kDTypeCount; ++i)
    if (info(static_cast<DType>(i)).mindspore_name == name) return static_cast<DType>(i);
  throw std::out_of_range(name);
}

Catalog catalog_of(const Json& dictionary) {
  Catalog catalog;
  for (const auto& [name, value] : dictionary.members()) {
    Record record;
    record.name = name;
    if (!value.is_object()) {
      record.kind = RecordKind::kString;
    } else {
      record.dtype = dtype_called(value.at("dtype").as_string());
      record.shape = shape_of(value.at("shape"));
    }
    catalog.records.push_back(std::move(record));
  }
  index_records(catalog);
  return catalog;
}

/// The second list that MindSpore returns: stored names that no parameter has exactly.
std::vector<std::string> not_loaded_exactly(const MatchReport& report, const Catalog& catalog) {
  std::set<size_t> exact;
  for (const ParameterMatch& match : report.matches)
    if (!match.by_prefix) exact.insert(match.record);
  std::vector<std::string> names;
  for (size_t i = 0; i < catalog.records.size(); ++i)
    if (!exact.contains(i)) names.push_back(catalog.records[i].name);
  return names;
}

TEST(Match, LenientRulesAreThoseOfLoadParamIntoNet) {
  TESSERA_NEEDS_SHARED_DATA();
  const Json root = parse_json(read_text(folder() / "load_param_into_net.json"));
  std::vector<NetworkParameter> net;
  for (const Json& parameter : root.at("net").items())
    net.push_back({parameter.at("name").as_string(), DType::kF32, shape_of(parameter.at("shape"))});
  const Json::Array& cases = root.at("cases").items();
  EXPECT_EQ(cases.size(), 20U);
  for (const Json& value : cases) {
    SCOPED_TRACE(value.at("case").as_string());
    const Catalog catalog = catalog_of(value.at("dict"));
    // MindSpore's strict_load turns prefixes and conversion off but still lists what is missing.
    const bool is_strict = value.at("strict_load").as_bool();
    MatchOptions options;
    options.lenient = !is_strict;
    if (is_strict)
      for (const NetworkParameter& parameter : net)
        if (catalog.find(parameter.name) == nullptr) options.allow.push_back(parameter.name);
    if (!value.at("error").is_null()) {
      EXPECT_THROW(match_parameters(net, catalog, options), Error);
      continue;
    }
    const MatchReport report = match_parameters(net, catalog, options);
    EXPECT_EQ(report.not_loaded, strings(value.at("param_not_load")));
    EXPECT_EQ(not_loaded_exactly(report, catalog), strings(value.at("ckpt_not_load")));
  }
}

TEST(Match, StrictMatchingNamesBothSides) {
  Catalog catalog;
  catalog.records = {{"fc.weight", RecordKind::kTensor, DType::kF32, {3, 8}, {}, {}},
                     {"fc.bias", RecordKind::kTensor, DType::kF16, {3}, {}, {}},
                     {"moments.fc.bias", RecordKind::kTensor, DType::kF32, {3}, {}, {}}};
  index_records(catalog);
  const auto error = [&](std::vector<NetworkParameter> net, const MatchOptions& options = {}) {
    try {
      match_parameters(net, catalog, options);
      return std::string();
    } catch (const Error& thrown) {
      return std::string(thrown.what());
    }
  };
  EXPECT_EQ(error({{"fc.weight", DType::kF32, {3, 7}}}),
            "'fc.weight' is f32[3,8] in the checkpoint but f32[3,7] in the network; '--allow' does "
            "not help here: give the model the option that makes this shape, convert the "
            "checkpoint, or let '--reinit' leave this parameter new");
  EXPECT_EQ(error({{"fc.weight", DType::kI32, {3, 8}}}, {.allow = {"fc.weight"}}),
            "'fc.weight' is f32[3,8] in the checkpoint but i32[3,8] in the network; '--allow' does "
            "not help here: it converts floating dtypes into each other, and signed integers");
  EXPECT_EQ(error({{"fc.bias", DType::kF32, {3}}}),
            "'fc.bias' is f16[3] in the checkpoint but f32[3] in the network; '--allow fc.bias' "
            "converts this one, '--lenient' all");
  EXPECT_EQ(error({{"fc.wieght", DType::kF32, {3, 8}}}),
            "the checkpoint has no 'fc.wieght' (f32[3,8]) (nearest: 'fc.weight'); '--rename', "
            "'--prefix' or '--lenient' map other names, '--allow fc.wieght' leaves it out");
  const std::vector<NetworkParameter> net{{"fc.weight", DType::kF32, {3, 8}},
                                          {"fc.bias", DType::kF32, {3}}};
  const MatchReport report = match_parameters(net, catalog, {.allow = {"*.bias"}});
  EXPECT_TRUE(report.matches[1].converts);
  EXPECT_EQ(report.not_used, std::vector<std::string>{"moments.fc.bias"});
  EXPECT_EQ(report.notes.size(), 1U);
}

TEST(Match, WhatIsAllowedIsAKindOrMatchesAName) {
  Catalog catalog;
  catalog.records = {{"net.fc.weight", RecordKind::kTensor, DType::kF32, {3}, {}, {}},
                     {"net.fc:bias", RecordKind::kTensor, DType::kF32, {3}, {}, {}}};
  index_records(catalog);
  const std::vector<NetworkParameter> net{{"fc.weight", DType::kF32, {3}}};
  const auto error = [&](const std::string& allow) {
    try {
      match_parameters(net, catalog,
                       {.prefix = "", .renaming = {.rules = {{"net.*", "*"}}}, .allow = {allow}});
      return std::string();
    } catch (const Error& thrown) {
      EXPECT_EQ(thrown.code(), ErrorCode::kInvalidArgument);
      return std::string(thrown.what());
    }
  };
  for (const std::string_view kind : deviation_kinds()) {
    EXPECT_EQ(error(std::string(kind)), "");
    EXPECT_EQ(error(std::string(kind) + ":fc.*"), "");
  }
  for (const char* name : {"fc.weight", "fc.*", "net.fc.weight", "fc:bias", "*"})
    EXPECT_EQ(error(name), "") << name;
  EXPECT_EQ(error("fc.wieght"),
            "'--allow fc.wieght' is no kind of deviation (missing_crc, short_content, "
            "long_content, duplicate_names, empty_name) and matches no name (nearest: "
            "'fc.weight')");
  EXPECT_NE(error("missing-crc").find("(nearest: 'missing_crc'"), std::string::npos);
  EXPECT_EQ(error("shortcontent:fc.*"),
            "'--allow shortcontent:fc.*' matches no name, and 'shortcontent' is no kind of "
            "deviation (nearest: 'short_content'); the kinds are missing_crc, short_content, "
            "long_content, duplicate_names, empty_name");
}

TEST(Match, WhatIsToStayNewIsNotLoadedWhateverItsShape) {
  Catalog catalog;
  for (const char* name : {"conv.weight", "classifier.weight"}) {
    Record record;
    record.name = name;
    record.dtype = DType::kF32;
    record.shape = {10, 4};
    catalog.records.push_back(record);
  }
  index_records(catalog);
  const std::vector<NetworkParameter> net{{"conv.weight", DType::kF32, {10, 4}},
                                          {"classifier.weight", DType::kF32, {3, 4}},
                                          {"classifier.bias", DType::kF32, {3}}};
  EXPECT_THROW(match_parameters(net, catalog, {}), Error);
  const MatchReport report = match_parameters(net, catalog, {.reinit = {"classifier.*"}});
  ASSERT_EQ(report.matches.size(), 1U);
  EXPECT_EQ(report.matches[0].parameter, 0U);
  EXPECT_EQ(report.not_loaded, (std::vector<std::string>{"classifier.weight", "classifier.bias"}));
  EXPECT_EQ(report.not_used, std::vector<std::string>{"classifier.weight"});
  EXPECT_EQ(report.notes.size(), 1U);
  EXPECT_THROW(match_parameters(net, catalog, {.reinit = {"clasifier.*"}}), Error);
}

TEST(Match, PrefixAndRenamingMapStoredNames) {
  MemoryFileSystem files;
  CheckpointWriter writer("a.ckpt", {.files = &files});
  const float values[] = {1, 2, 3};
  writer.add("network.fc.gamma", Tensor::of<float>(values, {3, 1, 1}));
  writer.add("network.fc.beta", Tensor::of<float>(values, {3}).cast(DType::kF64));
  writer.finish();
  const Checkpoint checkpoint = open_checkpoint("a.ckpt", {.files = &files});
  const std::vector<NetworkParameter> net{{"fc.scale", DType::kF32, {3}},
                                          {"fc.beta", DType::kF32, {3}}};
  MatchOptions options;
  options.lenient = true;
  options.prefix = "network.";
  options.renaming.rules = {parse_renaming("*.gamma=*.scale")};
  const MatchReport report = match_parameters(net, checkpoint.catalog, options);
  for (const Tensor& tensor : load_parameters(checkpoint, net, report))
    EXPECT_EQ(to_string(tensor), "f32[3] {1, 2, 3}");
}

TEST(Match, RenamingIsOneToOneAndEveryRuleMatches) {
  const std::vector<std::string> names{"a.x.w", "b.x.w", "c"};
  const auto renamed = [&](const std::string& rule) {
    const Renaming parsed = parse_renaming(rule);
    return rename(names, {&parsed, 1});
  };
  EXPECT_EQ(renamed("*.x.*=*.y.*"), (std::vector<std::string>{"a.y.w", "b.y.w", "c"}));
  EXPECT_EQ(renamed("c=d"), (std::vector<std::string>{"a.x.w", "b.x.w", "d"}));
  EXPECT_THROW(renamed("*.x.w=w"), Error);  // two become one
  EXPECT_THROW(renamed("c=a.x.w"), Error);  // meets a name that stays
  EXPECT_THROW(renamed("z*=*"), Error);     // matches nothing
  EXPECT_THROW(renamed("c=*"), Error);      // nothing was captured
  EXPECT_THROW(parse_renaming("abc"), Error);
}

TEST(Match, FiltersAreThoseOfLoadCheckpoint) {
  TESSERA_NEEDS_SHARED_DATA();
  const Json recorded =
      parse_json(read_text(folder() / "ckpt_cases.json")).at("_filters_on_small_plain");
  const Catalog catalog = open_catalog(folder() / "small_plain.ckpt");
  const std::pair<std::string_view, NameFilter> kFilters[] = {
      {"filter conv", {{}, {"conv"}, nullptr}},
      {"filter ('fc','bn')", {{}, {"fc", "bn"}, nullptr}},
      {"filter 'bn1.moving'", {{}, {"bn1.moving"}, nullptr}},
      {"specify 'bn' filter 'bn1.moving'", {{"bn"}, {"bn1.moving"}, nullptr}},
      {"specify ('bn','fc') filter 'fc.weight'", {{"bn", "fc"}, {"fc.weight"}, nullptr}},
      {"filter 'con' (half a word)", {{}, {"con"}, nullptr}},
      {"choice endswith weight",
       {{}, {}, [](const std::string& name) { return name.ends_with("weight"); }}},
  };
  EXPECT_EQ(std::size(kFilters), recorded.members().size());
  for (const auto& [name, filter] : kFilters)
    EXPECT_EQ(select(catalog, filter).names(), strings(recorded.at(name))) << name;
  EXPECT_THROW(select(catalog, {{""}, {}, nullptr}), Error);
  EXPECT_THROW(select(catalog, {{"absent"}, {}, nullptr}), Error);
}

}  // namespace
}  // namespace tessera
