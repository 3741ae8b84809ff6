#include "tessera/graph/attrs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tessera/base/error.h"

namespace tessera {
namespace {

TEST(Attrs, ReadBackToTheSameValueAndType) {
  const double infinity = std::numeric_limits<double>::infinity();
  std::string bytes;
  for (int c = 0; c < 256; ++c) bytes += static_cast<char>(c);
  const std::vector<Attr> all = {
      true, false,        int64_t{0}, INT64_MIN, INT64_MAX, 1.0,
      -0.0, 0.1,          1e300,      5e-324,    infinity,  -infinity,
      "",   "a \"b\" \\", bytes,      Ints{},    Ints{7},   Ints{1, -2, INT64_MIN}};
  for (const Attr& attr : all) {
    const Attr back = parse_attr(to_string(attr));
    EXPECT_EQ(back.index(), attr.index()) << to_string(attr);
    EXPECT_EQ(back, attr) << to_string(attr);
  }
  EXPECT_TRUE(std::signbit(std::get<double>(parse_attr(to_string(Attr(-0.0))))));
  EXPECT_TRUE(std::isnan(std::get<double>(parse_attr(to_string(Attr(std::nan("")))))));
}

TEST(Attrs, AreWrittenAsDocumented) {
  const Attrs attrs = {{"axis", 1}, {"alpha", 2.0}, {"mode", "same"}, {"shape", Ints{1, 2}}};
  EXPECT_EQ(to_string(attrs), "{alpha=2.0, axis=1, mode=\"same\", shape=[1,2]}");
  EXPECT_EQ(parse_attrs(to_string(attrs)), attrs);
  EXPECT_EQ(to_string(Attrs{}), "");
  EXPECT_EQ(parse_attrs(""), Attrs{});
  EXPECT_EQ(parse_attrs(" { a = [ 1 , 2 ] } "), (Attrs{{"a", Ints{1, 2}}}));
}

TEST(Attrs, RefuseTextThatIsNone) {
  for (const std::string_view text :
       {"{", "{a}", "{a=}", "{a=1", "{a=1,}", "{a=1} x", "{a=1, a=2}", "{=1}", "{a=[1}", "{a=[x]}",
        "{a=\"x}", "{a=\"\\q\"}", "{a=\"\\x1\"}", "{a=\"\\xzz\"}", "{a=yes}", "a=1"}) {
    EXPECT_THROW((void)parse_attrs(text), Error) << text;
  }
}

}  // namespace
}  // namespace tessera
