// Every case that MindSpore 2.10 recorded for the metrics here (../shared/data/mindspore/metrics),
// its unit tests' numbers (reference §6.2), and what the notation accepts.
#include "tessera/model/metric.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "tessera/base/text.h"
#include "tessera/io/file.h"
#include "tessera/io/json.h"
#include "tests/support/npy.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

template <typename T>
Tensor tensor(std::initializer_list<T> values, Shape shape) {
  return Tensor::of(std::span<const T>(values.begin(), values.size()), std::move(shape));
}

MetricResult measure(std::string_view text, const Tensor& outputs, const Tensor& labels) {
  const auto metric = parse_metric(text);
  metric->update(outputs, labels);
  return metric->result();
}

// ---- recorded cases

/// Our name of MindSpore's class, or "" when it is not one of ours.
std::string our_name(const std::string& metric_class) {
  const std::map<std::string, std::string> names = {{"Accuracy", "accuracy"},
                                                    {"Precision", "precision"},
                                                    {"Recall", "recall"},
                                                    {"F1", "F1"},
                                                    {"Fbeta", "fbeta"},
                                                    {"Loss", "loss"},
                                                    {"MAE", "mae"},
                                                    {"MSE", "mse"},
                                                    {"ConfusionMatrix", "confusion_matrix"},
                                                    {"TopKCategoricalAccuracy", "topk"},
                                                    {"Top1CategoricalAccuracy", "top_1_accuracy"},
                                                    {"Top5CategoricalAccuracy", "top_5_accuracy"}};
  const auto name = names.find(metric_class);
  return name == names.end() ? "" : name->second;
}

/// The case's metric in our notation: "precision(eval_type=multilabel,average=true)".
std::string notation_of(const Json& recorded) {
  std::vector<std::string> options;
  for (const auto& [key, value] : recorded.at("kwargs").members())
    options.push_back(
        fmt::format("{}={}", key,
                    value.is_string() ? value.as_string() : fmt::format("{}", value.as_double())));
  if (recorded.at("note").as_string() == "eval(average=True)") options.push_back("average=true");
  return fmt::format("{}({})", our_name(recorded.at("metric").as_string()), join(options, ","));
}

void flatten(const Json& values, std::vector<double>& out) {
  if (!values.is_array()) return out.push_back(values.as_double());
  for (const Json& item : values.items()) flatten(item, out);
}

double mean_of(const Tensor& losses) {
  const Tensor values = losses.cast(DType::kF64);
  double sum = 0;
  for (const double value : values.data<double>()) sum += value;
  return sum / static_cast<double>(values.size());
}

MetricResult replay(const Json& recorded, const std::map<std::string, Tensor>& arrays) {
  const auto metric = parse_metric(notation_of(recorded));
  for (const Json& update : recorded.at("updates").items()) {
    const Tensor& first = arrays.at(update.items()[0].as_string());
    if (metric->wants_loss())
      metric->update_loss(mean_of(first));
    else
      metric->update(first, arrays.at(update.items()[1].as_string()));
  }
  return metric->result();
}

void expect_recorded(const Json& recorded, const MetricResult& result) {
  const std::string id = recorded.at("id").as_string();
  const Json& value = recorded.at("eval");
  std::vector<double> wanted;
  flatten(value.is_object() ? value.at("values") : value, wanted);
  EXPECT_EQ(result.is_number(), !value.is_object()) << id;
  ASSERT_EQ(result.values.size(), wanted.size()) << id;
  // MindSpore sums the errors of mae and mse in float.
  const double tolerance = our_name(recorded.at("metric").as_string())[0] == 'm' ? 1e-6 : 1e-15;
  for (size_t i = 0; i < wanted.size(); ++i)
    EXPECT_NEAR(result.values[i], wanted[i], tolerance * std::max(1.0, std::abs(wanted[i]))) << id;
}

TEST(Metrics, EveryRecordedCaseGivesMindSporesResultOrIsRefusedToo) {
  TESSERA_NEEDS_SHARED_DATA();
  const auto folder = testing::shared_data() / "mindspore/metrics";
  const Json cases = parse_json(read_text(folder / "metrics.json"));
  const auto arrays = testing::read_npz(folder / "metrics_inputs.npz");
  int compared = 0;
  int refused = 0;
  for (const Json& recorded : cases.items()) {
    if (our_name(recorded.at("metric").as_string()).empty()) continue;
    if (recorded.at("error").is_null()) {
      expect_recorded(recorded, replay(recorded, arrays));
      ++compared;
    } else {
      EXPECT_THROW(replay(recorded, arrays), Error) << recorded.at("id").as_string();
      ++refused;
    }
  }
  EXPECT_EQ(compared, 49);
  EXPECT_EQ(refused, 10);
}

// ---- numbers of MindSpore's unit tests

const Tensor kScores = tensor<float>({.2F, .5F, .3F, .1F, .9F, .6F}, {3, 2});
const Tensor kLabels = tensor<int32_t>({1, 0, 1}, {3});
const Tensor kManyScores = tensor<int32_t>({0, 1, 0, 1, 1, 0, 1, 1, 0, 0, 0, 1}, {3, 4});
const Tensor kManyLabels = tensor<int32_t>({0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1}, {3, 4});

void expect_values(std::string_view text, const Tensor& outputs, const Tensor& labels,
                   const std::vector<double>& wanted) {
  const MetricResult result = measure(text, outputs, labels);
  ASSERT_EQ(result.values.size(), wanted.size()) << text;
  for (size_t i = 0; i < wanted.size(); ++i)
    EXPECT_NEAR(result.values[i], wanted[i], 1e-7) << text << " " << i;
}

TEST(Metrics, ClassificationGivesTheReferencesNumbers) {
  expect_values("acc", kScores, kLabels, {2.0 / 3});
  expect_values("acc", kScores, tensor<float>({0, 1, 1, 0, 0, 1}, {3, 2}), {2.0 / 3});
  expect_values("precision", kScores, kLabels, {0.5, 1});
  expect_values("recall", kScores, kLabels, {1, 0.5});
  expect_values("F1", kScores, kLabels, {2.0 / 3, 2.0 / 3});
  expect_values("F1(average=true)", kScores, kLabels, {2.0 / 3});
  expect_values("confusion_matrix", kScores, kLabels, {1, 0, 1, 1});
  expect_values("confusion_matrix(2)", tensor<int32_t>({1, 0, 1, 0}, {4}),
                tensor<int32_t>({1, 0, 0, 1}, {4}), {1, 1, 1, 1});
}

TEST(Metrics, MultilabelGivesTheReferencesNumbers) {
  expect_values("accuracy(multilabel)", kManyScores, kManyLabels, {1.0 / 3});
  expect_values("precision(multilabel)", kManyScores, kManyLabels, {1, 2.0 / 3, 1});
  expect_values("precision(multilabel,true)", kManyScores, kManyLabels, {8.0 / 9});
  expect_values("recall(multilabel)", kManyScores, kManyLabels, {2.0 / 3, 2.0 / 3, 1});
  expect_values("recall(multilabel,average=true)", kManyScores, kManyLabels, {7.0 / 9});
}

TEST(Metrics, TopKAndErrorsGiveTheReferencesNumbers) {
  expect_values(
      "topk(3)",
      tensor<float>({.2F, .5F, .3F, .6F, .2F, .1F, .35F, .5F, .2F, 0, .9F, .6F, .2F, .01F, .3F},
                    {3, 5}),
      tensor<int32_t>({2, 0, 1}, {3}), {2.0 / 3});
  expect_values(
      "top_1_accuracy",
      tensor<float>({.2F, .5F, .2F, .1F, 0, .1F, .35F, .25F, .2F, .1F, .9F, .1F, 0, 0, 0}, {3, 5}),
      tensor<int32_t>({2, 0, 0}, {3}), {1.0 / 3});
  expect_values("top_5_accuracy",
                tensor<float>({.15F, .4F, .1F, .05F, 0,   .2F, .1F, .1F, .35F, .25F, .2F,
                               .1F,  0,   0,   0,    .5F, .2F, .1F, .1F, .1F,  0},
                              {3, 7}),
                tensor<int32_t>({2, 0, 0}, {3}), {2.0 / 3});
  expect_values("mae", tensor<float>({.1F, .2F, .6F, .9F}, {4}),
                tensor<float>({.1F, .25F, .7F, .9F}, {4}), {.15 / 4});
  expect_values("mse", tensor<float>({.1F, .2F, .6F, .9F}, {4}),
                tensor<float>({.1F, .25F, .5F, .9F}, {4}), {.0125 / 4});
}

TEST(Metrics, LossWeighsEveryBatchTheSame) {
  const auto loss = parse_metric("loss");
  EXPECT_TRUE(loss->wants_loss());
  loss->update_loss(1);
  loss->update_loss(4);
  EXPECT_DOUBLE_EQ(loss->result().values[0], 2.5);
  EXPECT_THROW(loss->update(kScores, kLabels), Error);
  EXPECT_THROW(parse_metric("acc")->update_loss(1), Error);
}

TEST(Metrics, AccuracyCountsWhatIsRight) {
  const MetricResult result = measure("accuracy", kScores, kLabels);
  EXPECT_EQ(result.correct, 2);
  EXPECT_EQ(result.samples, 3);
}

TEST(Metrics, MergingIsAsIfTheBatchesHadComeOneAfterTheOther) {
  for (const char* text : {"acc", "precision", "recall(average=true)", "F1", "fbeta(0.5)",
                           "topk(1)", "mse", "mae", "confusion_matrix", "precision(multilabel)"}) {
    const bool many = std::string_view(text).find("multilabel") != std::string_view::npos;
    const bool errors = text[0] == 'm';
    const Tensor& outputs = many ? kManyScores : kScores;
    const Tensor& labels = many ? kManyLabels : errors ? kScores : kLabels;
    const Tensor other = many ? kManyLabels : tensor<float>({.9F, .5F, .3F, .1F, .1F, .6F}, {3, 2});
    const auto whole = parse_metric(text);
    whole->update(outputs, labels);
    whole->update(other, labels);
    const auto first = parse_metric(text);
    const auto second = parse_metric(text);
    first->update(outputs, labels);
    second->update(other, labels);
    first->merge(*second);
    first->merge(*parse_metric(text));
    EXPECT_EQ(first->result().values, whole->result().values) << text;
    first->clear();
    EXPECT_THROW(first->result(), Error) << text;
    first->merge(*second);
    EXPECT_EQ(first->result().values, second->result().values) << text;
  }
}

TEST(Metrics, ResultsPrintAsNumbersAndLists) {
  EXPECT_EQ(to_string(measure("confusion_matrix", kScores, kLabels)), "[[1, 0], [1, 1]]");
  EXPECT_EQ(to_json(measure("confusion_matrix", kScores, kLabels)), "[[1,0],[1,1]]");
  EXPECT_EQ(to_json(measure("precision", kScores, kLabels)), "[0.5,1]");
  EXPECT_EQ(to_json(MetricResult{.values = {0.1}}), "0.1");
  EXPECT_EQ(to_json(MetricResult{.values = {NAN}}), "null");
}

// ---- the notation

TEST(Metrics, AListIsReadInOrderUnderTheNamesAskedFor) {
  const auto metrics = parse_metrics(" accuracy, loss,topk(3) ,confusion_matrix(10, target)");
  ASSERT_EQ(metrics.size(), 4U);
  EXPECT_EQ(metrics[0]->name(), "accuracy");
  EXPECT_EQ(metrics[1]->name(), "loss");
  EXPECT_EQ(metrics[2]->name(), "topk(3)");
  EXPECT_EQ(metrics[3]->name(), "confusion_matrix(10, target)");
}

TEST(Metrics, WhatTheNotationDoesNotHaveIsRefusedWithTheChoices) {
  const std::pair<const char*, const char*> cases[] = {
      {"acuracy", "nearest: 'accuracy'"},
      {"", "no metric is named; known: "},
      {"accuracy,,loss", "name 2 of the metrics 'accuracy,,loss' is empty: there is a comma"},
      {"accuracy,", "name 2 of the metrics"},
      {"top1", "(nearest: 'top_1_accuracy')"},
      {"Top-5", "(nearest: 'top_5_accuracy')"},
      {"top-1", "(nearest: 'top_1_accuracy')"},
      {"top", "(nearest: 'topk', 'top_1_accuracy', 'top_5_accuracy')"},
      {"fbeta", "fbeta needs its beta: fbeta(0.5)"},
      {"accuracy,accuracy", "asked for twice"},
      {"accuracy(multi)", "classification or multilabel"},
      {"topk", "topk needs its k: topk(3)"},
      {"topk(0)", "at least 1"},
      {"topk(2.5)", "is an integer"},
      {"topk(2,3)", "no option"},
      {"topk(k=2,k=3)", "given twice"},
      {"topk(2", "closing"},
      {"top_5_accuracy(3)", "use topk(K)"},
      {"F1(2)", "use fbeta(BETA)"},
      {"fbeta(0)", "above 0"},
      {"confusion_matrix(10,rows)", "target"},
      {"loss(1)", "it has: none"},
      {"precision(average=yes)", "true or false"},
  };
  for (const auto& [text, part] : cases) {
    std::string message;
    try {
      parse_metrics(text);
    } catch (const Error& error) {
      message = error.what();
    }
    EXPECT_NE(message.find(part), std::string::npos) << text << "\n" << message;
  }
}

TEST(Metrics, ShapesAndLabelsThatDoNotFitAreRefused) {
  for (const char* text : {"accuracy", "precision", "F1", "topk(1)", "confusion_matrix"})
    EXPECT_THROW(measure(text, kScores, tensor<int32_t>({1, 0}, {2})), Error) << text;
  for (const char* text : {"precision", "recall", "F1", "confusion_matrix"})
    for (const int32_t label : {-1, 2})
      EXPECT_THROW(measure(text, kScores, tensor<int32_t>({1, label, 0}, {3})), Error) << text;
  EXPECT_THROW(measure("accuracy(multilabel)", kScores, kScores), Error);
  EXPECT_THROW(measure("topk(3)", kScores, kLabels), Error);
  for (const char* text : {"mae", "mse"}) {
    try {
      measure(text, kScores, kLabels);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()),
                std::string(text) +
                    " compares number with number and wants labels of the outputs' shape, got "
                    "outputs f32[3,2] and labels i32[3]; accuracy and topk take labels that are "
                    "classes");
    }
  }
  const auto metric = parse_metric("accuracy");
  metric->update(kScores, kLabels);
  EXPECT_THROW(metric->update(tensor<float>({1, 2, 3}, {1, 3}), tensor<int32_t>({0}, {1})), Error);
}

}  // namespace
}  // namespace tessera
