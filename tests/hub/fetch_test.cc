// Fetching from servers that behave badly: the right bytes appear in the cache, or an error that
// says what each address answered, and nothing under a digest that it has not.
#include "tessera/hub/fetch.h"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "tessera/base/error.h"
#include "tessera/hub/cache.h"
#include "tessera/hub/card_index.h"
#include "tests/hub/hub_server.h"

namespace tessera::hub {
namespace {

using testing::card_text;
using testing::HubTest;

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class FetchTest : public HubTest {
 protected:
  void SetUp() override {
    HubTest::SetUp();
    put("x.ckpt", data_);
  }

  /// A card whose asset is served as `mode` says.
  Card card(const std::string& mode) { return card_at(server().url(mode + "/x.ckpt")); }
  Card card_at(const std::string& link) { return with_hash(link, testing::digest(data_)); }
  static Card with_hash(const std::string& link, const std::string& hash) {
    Card card = read_card("test/x", card_text({.link = link, .sha256 = hash}));
    card.hub = "test";
    return card;
  }

  void expect_fetched(const Card& card) { expect_fetched(card, options()); }
  void expect_fetched(const Card& card, const FetchOptions& options) {
    const Fetched got = fetch_asset(card, "", options);
    EXPECT_EQ(got.sha256, testing::digest(data_));
    EXPECT_EQ(got.size, data_.size());
    EXPECT_TRUE(content(got.path) == data_);
    EXPECT_EQ(leftovers(), std::vector<std::string>{});
  }

  /// The message and code of what fetching throws; nothing appears in the cache.
  std::string refusal(const Card& card, ErrorCode code) { return refusal(card, code, options()); }
  std::string refusal(const Card& card, ErrorCode code, const FetchOptions& options) {
    try {
      fetch_asset(card, "", options);
    } catch (const Error& error) {
      EXPECT_EQ(to_string(error.code()), to_string(code)) << error.what();
      for (const CachedFile& file : Cache(cache()).files()) EXPECT_TRUE(file.is_part) << file.path;
      return error.what();
    }
    ADD_FAILURE() << "nothing was refused";
    return {};
  }

  std::string refusal_text(const Card& card) {
    try {
      fetch_asset(card, "", options());
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was refused";
  }

  const std::string data_ = testing::random_bytes(300'007, 1);
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(FetchTest, AFileComesOnceAndIsThenInTheCache) {
  expect_fetched(card("ok"));
  expect_fetched(card("ok"));
  EXPECT_EQ(server().requests("/ok/x.ckpt"), 1U);
  const std::vector<Ref> refs = Cache(cache()).refs();
  ASSERT_EQ(refs.size(), 1U);
  EXPECT_EQ(refs[0].uid, "test/x");
  EXPECT_EQ(refs[0].asset, testing::digest(data_));
}

TEST_F(FetchTest, ForceReloadFetchesAgain) {
  expect_fetched(card("ok"));
  FetchOptions again = options();
  again.force_reload = true;
  expect_fetched(card("ok"), again);
  EXPECT_EQ(server().requests("/ok/x.ckpt"), 2U);
}

TEST_F(FetchTest, ConnectionsCutAtRandomOffsetsAreResumed) {
  for (int seed = 0; seed < 12; ++seed) {
    std::filesystem::remove_all(cache());
    expect_fetched(card("cut/" + std::to_string(seed)));
  }
  // Resumed, not begun again: no byte comes twice but those that were on their way.
  EXPECT_EQ(server().bytes("/cut/0/"), data_.size());
  EXPECT_GT(server().requests("/cut/0/"), 2U);
}

TEST_F(FetchTest, AServerThatIgnoresRangesIsTakenFromTheStart) {
  expect_fetched(card("cutwhole/2"));
  EXPECT_EQ(server().requests("/cutwhole/2/"), 3U);
  EXPECT_EQ(server().requests("bytes="), 2U);
}

TEST_F(FetchTest, AServerThatSendsAnotherRangeIsAskedForAll) {
  put("y.ckpt", data_);
  // The first half comes, then a range that begins a byte late, then the start again: refused.
  EXPECT_TRUE(has(refusal(card("shift"), ErrorCode::kIo), "another range"));
}

TEST_F(FetchTest, AFileThatChangesBetweenTwoRangesIsBegunAgain) {
  // By its ETag even where no digest says so; by the digest where there is no ETag.
  FetchOptions unverified = options();
  unverified.unverified = true;
  expect_fetched(with_hash(server().url("version/etag/x.ckpt"), ""), unverified);
  EXPECT_EQ(server().requests("/version/etag/"), 3U);
  std::filesystem::remove_all(cache());
  expect_fetched(card("version/none"));
}

TEST_F(FetchTest, ARangeThatEndsTooSoonIsGoneOnWith) {
  FetchOptions unverified = options();
  unverified.unverified = true;
  expect_fetched(with_hash(server().url("pieces/x.ckpt"), ""), unverified);
  EXPECT_EQ(server().requests("/pieces/"), 5U);
}

TEST_F(FetchTest, APackedBodyIsUnpackedAndOneThatOnlySaysSoIsTaken) {
  expect_fetched(card("packed"));
  std::filesystem::remove_all(cache());
  expect_fetched(card("named"));
}

TEST_F(FetchTest, ASilentCutWithoutALengthIsSeenByTheDigest) {
  expect_fetched(card("nolength/1"));
  std::filesystem::remove_all(cache());
  EXPECT_TRUE(has(refusal(card("nolength/9"), ErrorCode::kCorruptData), "SHA-256"));
}

TEST_F(FetchTest, AWrongLengthIsNamedUnlessTheBytesAreRight) {
  expect_fetched(card("longer"));
  std::filesystem::remove_all(cache());
  const std::string message = refusal(card("shorter"), ErrorCode::kCorruptData);
  EXPECT_TRUE(has(message, "its 299007 bytes have the SHA-256 ")) << message;
  EXPECT_TRUE(has(message, testing::digest(data_))) << message;
}

TEST_F(FetchTest, AWrongDigestIsNeverKept) {
  EXPECT_TRUE(has(refusal(card("wrong"), ErrorCode::kCorruptData), "the card says"));
  EXPECT_EQ(leftovers(), std::vector<std::string>{});
  expect_fetched(card("ok"));
}

TEST_F(FetchTest, StatusesThatPassAreTriedAgainAndOthersAreNot) {
  for (const char* code : {"500", "502", "503", "504", "429", "408"}) {
    std::filesystem::remove_all(cache());
    expect_fetched(card(std::string("status/") + code + "/2"));
  }
  std::filesystem::remove_all(cache());
  EXPECT_TRUE(has(refusal(card("status/404/9"), ErrorCode::kNotFound), "404"));
  EXPECT_TRUE(has(refusal(card("status/403/9"), ErrorCode::kIo), "403"));
  EXPECT_EQ(server().requests("/status/404/9/"), 1U);
  EXPECT_EQ(server().requests("/status/403/9/"), 1U);
  EXPECT_TRUE(
      has(refusal(card("status/503/9"), ErrorCode::kIo), "the server answers 503, 4 times"));
}

TEST_F(FetchTest, RedirectsAreFollowedAFewTimesAndOnlyToHttp) {
  expect_fetched(card("hop/5"));
  std::filesystem::remove_all(cache());
  EXPECT_TRUE(has(refusal(card("hop/6"), ErrorCode::kIo), "more than 5 times"));
  EXPECT_TRUE(has(refusal(card("loop"), ErrorCode::kIo), "more than 5 times"));
  for (const char* to : {"file%3A%2F%2F%2Fetc%2Fpasswd", "ftp%3A%2F%2F127.0.0.1%2Fx",
                         "gopher%3A%2F%2F127.0.0.1%2Fx"}) {
    const std::string message =
        refusal(card_at(server().url(std::string("to/") + to)), ErrorCode::kIo);
    EXPECT_TRUE(has(message, "only http and https are followed")) << message;
  }
}

TEST_F(FetchTest, AStalledConnectionIsGivenUpAndResumed) {
  FetchOptions quick = options();
  quick.stalled_seconds = 1;
  expect_fetched(card("stall/1"), quick);
  EXPECT_EQ(server().bytes("/stall/"), data_.size());
}

TEST_F(FetchTest, SlowBytesAreWaitedFor) {
  FetchOptions watched = options();
  std::vector<uint64_t> seen;
  watched.progress = [&](uint64_t done, std::optional<uint64_t> total) {
    EXPECT_EQ(total, data_.size());
    seen.push_back(done);
  };
  expect_fetched(card("slow/30"), watched);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_GT(seen.size(), 3U);
  EXPECT_EQ(seen.back(), data_.size());
}

TEST_F(FetchTest, MirrorsAreTriedInOrderAndMayNotLie) {
  put("ok/x.ckpt", data_);  // the path of the link below a mirror's base
  const Card card = card_at("http://127.0.0.1:9/ok/x.ckpt");  // nobody listens there
  FetchOptions mirrored = options();
  mirrored.retries = 0;
  mirrored.mirrors = {server().url("status/404/9"), server().url("wrong"), server().url("ok/")};
  std::vector<std::string> told;
  mirrored.tell = [&](const std::string& what) { told.push_back(what); };
  expect_fetched(card, mirrored);
  EXPECT_EQ(told.size(), 2U);
  EXPECT_EQ(server().requests("/ok/ok/x.ckpt"), 1U);
}

TEST_F(FetchTest, OfflineTakesWhatTheCacheHasAndNothingElse) {
  FetchOptions offline = options();
  offline.offline = true;
  EXPECT_TRUE(has(refusal(card("ok"), ErrorCode::kNotFound, offline), "offline"));
  EXPECT_EQ(server().log().size(), 0U);
  expect_fetched(card("ok"));
  expect_fetched(card("ok"), offline);
  EXPECT_EQ(server().log().size(), 1U);
}

TEST_F(FetchTest, ADamagedFileOfTheCacheIsFetchedAgain) {
  expect_fetched(card("ok"));
  const std::filesystem::path path = Cache(cache()).path_of(testing::digest(data_));
  std::ofstream(path, std::ios::binary | std::ios::in).seekp(1000).put('!');
  EXPECT_FALSE(Cache(cache()).is_right(testing::digest(data_)));
  FetchOptions offline = options();
  offline.offline = true;
  EXPECT_THROW(fetch_asset(card("ok"), "", offline), Error);
  expect_fetched(card("ok"));
  EXPECT_EQ(server().log().size(), 2U);
}

TEST_F(FetchTest, AFileWithoutADigestIsFetchedOnlyIfAskedFor) {
  for (const std::string hash : {"", "d41d8cd98f00b204e9800998ecf8427e", "not a digest"}) {
    const Card card = with_hash(server().url("ok/x.ckpt"), hash);
    EXPECT_TRUE(has(refusal(card, ErrorCode::kInvalidArgument), "--unverified"));
    FetchOptions unverified = options();
    unverified.unverified = true;
    const Fetched got = fetch_asset(card, "", unverified);
    EXPECT_FALSE(got.is_verified);
    EXPECT_EQ(got.sha256, testing::digest(data_));
    std::filesystem::remove_all(cache());
  }
  EXPECT_EQ(server().log().size(), 3U);
}

TEST_F(FetchTest, TwoThreadsShareOneDownload) {
  const Card shared = card("slow/40");
  std::thread other([&] { fetch_asset(shared, "", options()); });
  fetch_asset(shared, "", options());
  other.join();
  EXPECT_EQ(server().bytes("/slow/"), data_.size());
  EXPECT_EQ(leftovers(), std::vector<std::string>{});
}

TEST_F(FetchTest, LargerThanAllowedIsRefusedBeforeItComes) {
  FetchOptions small = options();
  small.largest = 1000;
  EXPECT_TRUE(has(refusal(card("ok"), ErrorCode::kIo, small), "at most 1000 B"));
  EXPECT_TRUE(has(refusal(card("nolength/0"), ErrorCode::kIo, small), "more than 1000 B"));
}

TEST_F(FetchTest, AProxyOfTheEnvironmentIsUsedAndExceptionsHold) {
  setenv("http_proxy", server().url("").c_str(), 1);
  setenv("no_proxy", "", 1);
  const Card card = card_at("http://models.invalid/ok/x.ckpt");
  expect_fetched(card);
  EXPECT_EQ(server().requests("proxy GET http://models.invalid/ok/x.ckpt"), 1U);
  std::filesystem::remove_all(cache());
  setenv("no_proxy", "models.invalid", 1);
  EXPECT_TRUE(has(refusal(card, ErrorCode::kIo), "resolve host: models.invalid"));
  // A proxy that is not there is named, not only the address that it was to fetch.
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("no_proxy", "", 1);
  EXPECT_TRUE(has(refusal(card, ErrorCode::kIo), "127.0.0.1 port 1"));
  unsetenv("http_proxy");
  unsetenv("no_proxy");
}

TEST_F(FetchTest, NamesOfACardNeverLeaveTheCache) {
  const auto outside = [&] {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder()))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  };
  std::string text = card_text(
      {.model = "../../evil", .link = server().url("ok/x.ckpt"), .sha256 = testing::digest(data_)});
  Card card = read_card("../../../evil", text);
  card.hub = "../..";
  expect_fetched(card);
  for (const char* link : {"ok/../../x.ckpt", "ok/%2e%2e/x.ckpt", "ok/..%2fx.ckpt"}) {
    const std::string message = refusal_text(card_at(server().url(link)));
    EXPECT_TRUE(has(message, "its path has '..'")) << message;
  }
  EXPECT_EQ(outside(), (std::vector<std::string>{"cache", "log", "www"}));
}

TEST_F(FetchTest, CardsOfAUrlAreKeptForTimesWithoutIt) {
  put("mindspore/1.0/x y.md",
      card_text({.link = server().url("ok/x.ckpt"), .sha256 = testing::digest(data_)}));
  const auto hub = open_hub(server().url("ok/"), options());
  EXPECT_EQ(hub->find("mindspore/1.0/x y").model, "LeNet");
  FetchOptions offline = options();
  offline.offline = true;
  EXPECT_EQ(open_hub(server().url("ok"), offline)->find("mindspore/1.0/x y").model, "LeNet");
  ASSERT_EQ(open_hub(server().url("ok"), offline)->all().size(), 1U);
  EXPECT_THROW(open_hub(server().url("ok"), offline)->find("mindspore/1.0/z"), Error);
  EXPECT_THROW(hub->all(), Error);  // no index
  put("index.txt", "# all\nmindspore/1.0/x y\n../z\nmindspore/1.0/z.md\n");
  const std::vector<Card> cards = hub->all();
  ASSERT_EQ(cards.size(), 3U);
  EXPECT_EQ(cards[0].uid, "../z");
  EXPECT_FALSE(cards[0].problems.empty());
  EXPECT_TRUE(cards[1].problems.empty());
  EXPECT_FALSE(cards[2].problems.empty());
}

TEST_F(FetchTest, ABombOfACardIsRefused) {
  put("bomb.md", "---\n" + std::string(10 << 20, '[') + "\n---\n");
  try {
    open_hub(server().url("ok"), options())->find("bomb");
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(has(error.what(), "at most 1.0 MiB")) << error.what();
  }
  EXPECT_LT(server().bytes("/ok/bomb.md"), 4U << 20);
}

}  // namespace
}  // namespace tessera::hub
