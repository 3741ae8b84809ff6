#include "tessera/hub/uid.h"

#include <gtest/gtest.h>

#include "tessera/base/error.h"

namespace tessera::hub {
namespace {

TEST(Uid, NamesOfCardsAreUids) {
  for (const std::string uid : {"mindspore/ascend/0.7/googlenet_v1_cifar10", "mindspore/1.10/a_b",
                                "noah-cvlab/gpu/1.0/VGG-Small-low-bit_cifar10", "x",
                                "模型/1.0/网络", "a b/c+d/squadv1.1"}) {
    EXPECT_EQ(parse_uid(uid), uid);
    EXPECT_EQ(parse_uid(uid + ".md"), uid);
    EXPECT_EQ(parse_uid(uid + ".MD"), uid);
  }
}

TEST(Uid, WhatCouldNameAnotherFolderIsNone) {
  using std::string_literals::operator""s;
  for (const std::string& text :
       {""s, "/a"s, "a//b"s, "a/"s, "../a"s, "a/../b"s, "a/./b"s, "."s, ".."s, "a/.git/b"s, "a\\b"s,
        "c:/a"s, "a\nb"s, "a\0b"s, "\xff"s, std::string(256, 'a'), std::string(2000, 'a')})
    EXPECT_THROW(parse_uid(text), Error) << text;
}

TEST(Uid, LinksAreUrlsOfFiles) {
  for (const char* link : {"https://download.mindspore.cn/models/r1.10/x.ckpt", "http://[::1]:80/x",
                           "HTTPS://h/x?y=../z", "http://h/a..b/...c", "http://u:p@h/x"})
    EXPECT_EQ(why_no_link(link), std::nullopt) << link;
  for (const char* link : {"", "ftp://h/x", "file:///etc/passwd", "https:///x", "https://",
                           "http://h/../x", "http://h/a/..", "http://h/%2e%2E/x", "http://h/..%2fx",
                           "http://h/a\\..\\b", "http://h/a b", "http://h/a\nb", "javascript:1"})
    EXPECT_NE(why_no_link(link), std::nullopt) << link;
}

TEST(Uid, UrlsOfCardsNameUids) {
  EXPECT_EQ(uid_of_url("https://gitee.com/mindspore/hub/raw/master/mshub_res/assets/mindspore/1.10/"
                       "lenet_mnist.md"),
            "mindspore/1.10/lenet_mnist");
  EXPECT_EQ(uid_of_url("http://h/a/b.md?raw=1"), "b");
  EXPECT_THROW(uid_of_url("http://h"), Error);
}

TEST(Uid, MessagesHaveNoPasswords) {
  EXPECT_EQ(without_password("https://me:secret@h/x"), "https://…@h/x");
  EXPECT_EQ(without_password("https://h/x@y"), "https://h/x@y");
  EXPECT_EQ(url_encode("a b/模?#%"), "a%20b/%E6%A8%A1%3F%23%25");
}

}  // namespace
}  // namespace tessera::hub
