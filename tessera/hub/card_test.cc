#include "tessera/hub/card.h"

#include <gtest/gtest.h>

#include <random>

namespace tessera::hub {
namespace {

constexpr const char* kHash = "7adc21461aa42d10b065eb8be9a5b420b0d1336f6b33a84086e94fd5de8c48c5";

/// Every key that MindSpore Hub demands, without model-name and asset.
std::string front(const std::string& more) {
  return "backbone-name: LeNet\nmodule-type: cv-classification\nfine-tunable: True\n"
         "model-version: 1.0\nauthor: MindSpore team\nupdate-time: 2020-09-22\n"
         "repo-link: https://gitee.com/x\nuser-id: MindSpore\nused-for: inference\n"
         "mindspore-version: 0.7\nlicense: Apache2.0\nsummary: a net\n" +
         more;
}

Card card_of(const std::string& more) {
  return read_card("a/b/c", "# LeNet\n\n---\n" + front(more) + "---\n\n## Introduction\n");
}

std::string asset_of(const std::string& link, const std::string& hash = kHash) {
  return "model-name: LeNet\nasset:\n-\n    file-format: ckpt  \n    asset-link: " + link +
         "  \n    asset-sha256: " + hash + "\n";
}

TEST(Card, ACardOfMindSporeHubIsReadWhole) {
  const Card card = card_of(asset_of("<https://h/x.ckpt>") +
                            "train-dataset: mnist\naccuracy: 0.986\ninput-shape: [1, 32, 32]\n");
  EXPECT_TRUE(card.is_read);
  EXPECT_EQ(card.problems, std::vector<std::string>{});
  EXPECT_EQ(card.notes, std::vector<std::string>{});
  EXPECT_EQ(card.model, "LeNet");
  EXPECT_EQ(card.dataset, "mnist");
  EXPECT_EQ(card.accuracy_number, 0.986);
  EXPECT_EQ(card.field("input-shape"), "[1, 32, 32]");
  ASSERT_EQ(card.assets.size(), 1U);
  EXPECT_EQ(card.assets[0].link, "https://h/x.ckpt");
  EXPECT_EQ(card.assets[0].sha256, kHash);
  EXPECT_EQ(card.assets[0].format, "ckpt");
}

TEST(Card, TextOfOtherSystemsIsReadAlike) {
  const std::string plain =
      "# 模型\n---\n" + front(asset_of("https://h/x.ckpt")) + "---\n中文说明 | --- |\n";
  const Card wanted = read_card("u", plain);
  ASSERT_TRUE(wanted.problems.empty());
  const auto replaced = [&](const std::string& what, const std::string& by) {
    std::string text = plain;
    for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
      text.replace(at, what.size(), by);
    return text;
  };
  for (const std::string& text :
       {"\xEF\xBB\xBF" + plain, replaced("\n", "\r\n"), replaced("\n", "\r"),
        replaced("    file-format", "\tfile-format"), replaced(": ", ":\t"),
        replaced("license: ", "license:"), replaced("license: ", "license："),
        replaced("license: ", "License: "), replaced("license: ", "license :  "),
        replaced("\nlicense", "\n\n\nlicense"), replaced("---\n", "-----  \n"),
        replaced(kHash, "SHA256:" + std::string(kHash)), replaced("a net", "\"a net\""),
        replaced("https://h/x.ckpt", "[x](https://h/x.ckpt)")}) {
    const Card card = read_card("u", text);
    EXPECT_EQ(card.problems, std::vector<std::string>{}) << text;
    EXPECT_EQ(card.field("license"), "Apache2.0") << text;
    ASSERT_EQ(card.assets.size(), 1U) << text;
    EXPECT_EQ(card.assets[0].link, "https://h/x.ckpt");
    EXPECT_EQ(card.assets[0].sha256, kHash);
  }
}

TEST(Card, KeysInChineseAreTheSameKeys) {
  const Card card = read_card(
      "u",
      std::string(
          "# LeNet\n---\n模型名称： LeNet\n骨干网络：LeNet\n模块类型：cv\n可微调：True\n"
          "模型版本：1.0\nMindSpore Lite：True\n训练数据集：MNIST\n准确率： "
          "0.98\n作者：MindSpore团队\n更新时间：2020-9-22\n"
          "代码仓链接： <https://gitee.com/x>\n用户ID：MindSpore\n用途：推理\nMindSpore版本：1.0\n"
          "资源：\n\n  -\n    文件格式：.ckpt  \n    资源链接 : <https://h/x.ckpt>  \n"
          "    资源SHA256校验码：") +
          kHash + "\n许可证：Apache 2.0\n摘要：分类。\n---\n");
  EXPECT_EQ(card.problems, std::vector<std::string>{});
  EXPECT_EQ(card.notes, std::vector<std::string>{"its keys are in Chinese"});
  EXPECT_EQ(card.model, "LeNet");
  EXPECT_EQ(card.dataset, "MNIST");
  EXPECT_EQ(card.accuracy_number, 0.98);
  EXPECT_EQ(card.field("mindspore-version"), "1.0");
  ASSERT_EQ(card.assets.size(), 1U);
  EXPECT_EQ(card.assets[0].format, "ckpt");
  EXPECT_EQ(card.assets[0].link, "https://h/x.ckpt");
  EXPECT_EQ(card.assets[0].sha256, kHash);
}

TEST(Card, ValuesThatAreNoYamlAreTheirText) {
  for (const std::string value :
       {"PSNR: 38.1 | SSIM: 0.96", "*best*", "- none", "@someone", "`code`", "%50", "\"a\" net",
        "R&D: 100%", "&x", "!important: yes", "ends with:"}) {
    const Card card = card_of("model-name: x\nevaluation: " + value + "\n");
    EXPECT_EQ(card.problems, std::vector<std::string>{}) << value;
    EXPECT_TRUE(card.is_read) << value;
    const bool is_tag = value[0] == '!' || value[0] == '&';
    EXPECT_EQ(is_tag ? value : card.evaluation, value);
  }
  const Card none = card_of("model-name: x\nevaluation: -\n");
  EXPECT_EQ(none.problems, std::vector<std::string>{});
  EXPECT_EQ(none.evaluation, "");
}

TEST(Card, AccuracyIsTheNumberThatTheCardHas) {
  const std::pair<const char*, std::optional<double>> kCases[] = {
      {"accuracy: 0.934", 0.934},
      {"accuracy: '88'", 88},
      {"accuracy: 91%", 91},
      {"evaluation: acc92.53", 92.53},
      {"evaluation: top1acc76.97 | top5acc93.44", 76.97},
      {"evaluation: mAP50", std::nullopt},
      {"accuracy: Top1 76.97%", 76.97},
      {"accuracy: 'top-1: 76.97, top-5: 93.4'", 76.97},
      {"accuracy: {top1: 0.767, top5: 0.93}", 0.767},
      {"accuracy: 0,98", 0.98},
      {"accuracy: 91 (epoch 3)", 91},
      {"accuracy: F1 0.92", 0.92},
      {"accuracy: resnet50: 81.27", 81.27},
      {"evaluation: 'acc@1 76.97 acc@5 93.4'", 76.97},
      {"accuracy: good", std::nullopt},
      {"evaluation: -", std::nullopt},
  };
  for (const auto& [line, number] : kCases)
    EXPECT_EQ(card_of(std::string("model-name: x\n") + line + "\n").accuracy_number, number)
        << line;
}

TEST(Card, TheLastCheckpointIsTheWeights) {
  const auto asset = [](const std::string& format, const std::string& name) {
    return "  - file-format: " + format + "\n    asset-link: https://h/" + name +
           "\n    asset-sha256: " + kHash + "\n";
  };
  const Card card = card_of("model-name: x\nasset:\n" + asset("ckpt", "1") + asset("ckpt", "2") +
                            asset("mindir", "3"));
  EXPECT_EQ(card.weights()->link, "https://h/2");
  EXPECT_EQ(
      card_of("model-name: x\nasset:\n" + asset("air", "1") + asset("mindir", "2")).weights()->link,
      "https://h/1");
  EXPECT_EQ(card_of("model-name: x\n").weights(), nullptr);
  EXPECT_EQ(card_of("model-name: x\nasset:\n").weights(), nullptr);
}

TEST(Card, AnAssetWithoutItsDashIsAnotherOne) {
  const std::string more =
      "    file-format: mindir\n    asset-link: https://h/y\n    asset-sha256: " +
      std::string(kHash) + "\n";
  const Card card = card_of(asset_of("https://h/x.ckpt") + "\n" + more);
  EXPECT_EQ(card.problems, std::vector<std::string>{});
  EXPECT_EQ(card.notes, std::vector<std::string>{"line 23: asset 1 gives 'file-format' twice; "
                                                 "another asset is read from there on"});
  ASSERT_EQ(card.assets.size(), 2U);
  EXPECT_EQ(card.weights()->link, "https://h/x.ckpt");
  EXPECT_EQ(card.assets[1].format, "mindir");
  // One key alone is no asset.
  const Card one = card_of(asset_of("https://h/x.ckpt") + "    asset-link: https://h/z\n");
  ASSERT_EQ(one.assets.size(), 1U);
  EXPECT_EQ(one.assets[0].link, "https://h/z");
  EXPECT_EQ(one.notes.size(), 1U);
}

TEST(Card, WhatIsMalformedIsNamedWithItsLine) {
  const auto problem = [](const std::string& text) {
    const Card card = read_card("u", text);
    return card.problems.empty() ? "none" : card.problems[0];
  };
  const auto of = [&](const std::string& more) { return problem("---\n" + front(more) + "---\n"); };
  EXPECT_EQ(problem(""), "there are 0 lines that begin with '---'; its YAML stands between two");
  EXPECT_EQ(problem("---\nmodel-name: x\n---\n"),
            "it lacks backbone-name, module-type, fine-tunable, model-version, author, "
            "update-time, repo-link, user-id, used-for, mindspore-version, license, summary");
  EXPECT_EQ(problem("---\n- a\n- b\n---\n"), "its front matter has no keys");
  EXPECT_EQ(of("train-dataset: [a, b\n"),
            "line 15: its front matter is no YAML: end of sequence flow not found");
  EXPECT_EQ(of("a: &x [1]\nb: [*x]\n"),
            "line 15: its front matter is no YAML: an alias (*name) is "
            "not read");
  EXPECT_EQ(of("model-name: &n LeNet\ndataset: *n\n"),
            "line 15: its front matter is no YAML: an alias (*name) is not read");
  EXPECT_EQ(of(std::string("model-name: Le\0Net\n", 19)),
            "line 14: its front matter is no YAML: it holds the control byte 0x00");
  EXPECT_EQ(of("asset: none yet\n"), "line 14: asset is the text 'none yet', not a list");
  EXPECT_EQ(of("asset:\n- ckpt\n"), "line 15: asset 1 is no map");
  EXPECT_EQ(of("asset:\n- file-format: ckpt\n  asset-sha256: " + std::string(kHash) + "\n"),
            "line 15: asset 1: it has no asset-link");
  EXPECT_EQ(of("asset:\n- file-format: ckpt\n  asset-link: https://h/x\n"),
            "line 15: asset 1: the card gives no asset-sha256");
  EXPECT_EQ(of("asset:\n- file-format: pth\n  asset-link: https://h/x\n  asset-sha256: " +
               std::string(kHash) + "\n"),
            "line 15: asset 1: file-format is 'pth'; known: ckpt, mindir, air, onnx, mslite");
}

TEST(Card, AnyBytesGiveACard) {
  std::mt19937 random(1);
  const std::string good = "---\n" + front(asset_of("<https://h/x.ckpt>")) + "---\n";
  for (int i = 0; i < 3000; ++i) {
    std::string text = good;
    for (unsigned changes = 1 + random() % 8; changes > 0; --changes) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 20);
          break;
        case 2:
          text.insert(at, std::string(1 + random() % 3, "[]{}:-*&!|>'\"#\n\t"[random() % 16]));
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 40));
      }
    }
    const Card card = read_card("u", text);
    EXPECT_TRUE(card.is_read || !card.problems.empty());
    for (const Asset& asset : card.assets)
      EXPECT_TRUE(asset.sha256.empty() || asset.sha256.size() == 64);
  }
}

}  // namespace
}  // namespace tessera::hub
