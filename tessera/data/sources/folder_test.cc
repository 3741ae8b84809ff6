#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tessera/data/class_names.h"
#include "tessera/data/row_source.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/shared_data.h"

namespace tessera {
namespace {

class Folder : public ::testing::Test {
 protected:
  void picture(const std::string& name) const { folder_.write("in/" + name, "P5 1 1 255\n\x07"); }
  std::shared_ptr<const RowSource> open(const std::string& labels = "") const {
    RowsOptions options;
    if (!labels.empty()) options.labels = folder_.write("labels", labels);
    return open_rows("folder:" + (folder_.path() / "in").string(), options);
  }
  std::string error(const std::string& labels = "") const {
    try {
      open(labels);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  /// "label:path below the folder", in the order of the rows.
  std::string rows(const RowSource& source) const {
    const size_t begin = (folder_.path() / "in").string().size() + 1;
    std::string text;
    for (int64_t i = 0; i < source.size(); ++i)
      text += std::to_string(source.row(i).label) + ":" + source.row_name(i).substr(begin) + " ";
    return text;
  }
  static std::string names(const RowSource& source) {
    std::string text;
    for (const std::string& name : source.class_names()) text += name + "|";
    return text;
  }

  testing::ScratchFolder folder_{"folder"};
};

TEST_F(Folder, ClassesAreNumberedByTheBytesOfTheFoldersNamesEmptyOnesToo) {
  for (const char* name :
       {"b/2.png", "b/10.png", "C/x.JPEG", "9/x.bmp", "10/x.jpg", "a/sub/y.jpg", "a/sub.png"})
    picture(name);
  std::filesystem::create_directories(folder_.path() / "in/empty");
  const auto source = open();
  EXPECT_EQ(rows(*source),
            "0:10/x.jpg 1:9/x.bmp 2:C/x.JPEG 3:a/sub/y.jpg 3:a/sub.png 4:b/10.png 4:b/2.png ");
  EXPECT_EQ(names(*source), "10|9|C|a|b|empty|");
  EXPECT_TRUE(source->has_labels());
  EXPECT_TRUE(source->notes().empty());
}

TEST_F(Folder, WhatIsNoPictureOfAClassIsCountedInANote) {
  picture("a/1.png");
  picture("top.png");
  folder_.write("in/a/readme.txt", "x");
  folder_.write("in/readme.txt", "x");
  const auto source = open();
  EXPECT_EQ(source->size(), 1);
  ASSERT_EQ(source->notes().size(), 1U);
  EXPECT_TRUE(source->notes()[0].starts_with("3 files in")) << source->notes()[0];
}

TEST_F(Folder, AFolderWithoutClassesHasRowsWithoutLabels) {
  picture("2.png");
  picture("1.png");
  const auto source = open();
  EXPECT_EQ(rows(*source), "-1:1.png -1:2.png ");
  EXPECT_FALSE(source->has_labels());
  EXPECT_EQ(names(*open("cat\ndog\n")), "cat|dog|");
}

TEST_F(Folder, LabelsNumberTheFoldersThatTheyName) {
  for (const char* name : {"cat/1.png", "dog/1.png"}) picture(name);
  EXPECT_EQ(rows(*open("dog\nbird\ncat\n")), "2:cat/1.png 0:dog/1.png ");
  EXPECT_EQ(names(*open("dog\nbird\ncat\n")), "dog|bird|cat|");
  EXPECT_EQ(rows(*open(R"({"dog": 1, "cat": 2, "x": 0})")), "2:cat/1.png 1:dog/1.png ");
}

TEST_F(Folder, LabelsMayNameFoldersByCodesOrComeInTheirOrder) {
  for (const char* name : {"n01/1.png", "n02/1.png"}) picture(name);
  const auto codes = open("n02 dog, hound\nn01 cat\n");
  EXPECT_EQ(rows(*codes), "1:n01/1.png 0:n02/1.png ");
  EXPECT_EQ(names(*codes), "dog, hound|cat|");
  const auto json = open(R"({"0": ["n02", "dog"], "1": ["n01", "cat"]})");
  EXPECT_EQ(rows(*json), "1:n01/1.png 0:n02/1.png ");
  const auto ordered = open("cat\ndog\n");
  EXPECT_EQ(rows(*ordered), "0:n01/1.png 1:n02/1.png ");
  EXPECT_EQ(names(*ordered), "cat|dog|");
}

TEST_F(Folder, FoldersMayBeSomeOfTheClassesOfANetwork) {
  // As MindSpore's class_indexing may number them; what lies between has its number for a name,
  // which is no folder's.
  for (const char* name : {"cat/1.png", "dog/1.png"}) picture(name);
  const auto some = open(R"({"dog": 4, "cat": 1})");
  EXPECT_EQ(rows(*some), "1:cat/1.png 4:dog/1.png ");
  EXPECT_EQ(names(*some), "0|cat|2|3|dog|");
  picture("2/1.png");
  EXPECT_NE(error(R"({"dog": 4, "cat": 1})").find("but not the folders 2"), std::string::npos);
}

TEST_F(Folder, LabelsThatDoNotFitTheFoldersAreRefused) {
  for (const char* name : {"cat/1.png", "dog/1.png"}) picture(name);
  EXPECT_NE(error("cat\nbird\n").find("have 2 classes, but not the folders dog"), std::string::npos)
      << error("cat\nbird\n");
  EXPECT_NE(error("a\nb\nc\n").find("have 3 classes, but not the folders cat"), std::string::npos);
}

TEST_F(Folder, NothingThereIsSaid) {
  EXPECT_NE(error().find("there is no folder"), std::string::npos) << error();
  std::filesystem::create_directories(folder_.path() / "in/a");
  EXPECT_NE(error().find("holds no pictures"), std::string::npos) << error();
}

TEST(ClassNames, TextAndJsonGiveTheSame) {
  const std::vector<ClassName> wanted{{"cat", "cat"}, {"dog house", "dog house"}};
  EXPECT_EQ(parse_class_names("cat\r\ndog house\r\n\n"), wanted);
  EXPECT_EQ(parse_class_names("\xEF\xBB\xBF"
                              "cat\ndog house"),
            wanted);
  EXPECT_EQ(parse_class_names(R"(["cat", "dog house"])"), wanted);
  EXPECT_EQ(parse_class_names(R"({"1": "dog house", "0": "cat"})"), wanted);
  EXPECT_EQ(parse_class_names(R"({"dog house": 1, "cat": 0})"), wanted);
  EXPECT_EQ(parse_class_names("n1 tabby, cat")[0], (ClassName{"n1", "tabby, cat"}));
}

TEST(ClassNames, WhatNumbersNoClassesIsRefused) {
  for (const char* text : {"", "\n \n", "a\n\nb", "{\"a\": 9999999}", "{\"a\": 0, \"b\": 0}",
                           "{\"a\": -1}", "{\"x\": \"cat\"}", "[1]", "[[\"a\"]]", "{\"a\": 0.5}",
                           "[", "{}", "[]", "\xFF", "{\"a\": null}"})
    EXPECT_THROW(parse_class_names(text), Error) << text;
}

}  // namespace
}  // namespace tessera
