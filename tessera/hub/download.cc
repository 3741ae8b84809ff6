#include "tessera/hub/download.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/hub/http.h"
#include "tessera/hub/uid.h"
#include "tessera/io/crypto.h"
#include "tessera/io/part_file.h"

namespace tessera::hub {
namespace {

using Outcome = HttpResult::Outcome;

constexpr int kMostAttempts = 200;    // of one address
constexpr double kLongestWait = 30;   // seconds
constexpr double kLongestAsked = 60;  // seconds, of Retry-After

void tell(const FetchOptions& options, const std::string& what) {
  if (options.tell) options.tell(what);
}

/// Where bytes go: they can begin again.
class Body {
 public:
  virtual ~Body() = default;
  virtual uint64_t size() const = 0;
  virtual void clear() = 0;
  virtual void append(std::span<const std::byte> bytes) = 0;
};

class TextBody : public Body {
 public:
  uint64_t size() const override { return text.size(); }
  void clear() override { text.clear(); }
  void append(std::span<const std::byte> bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  std::string text;
};

class HashedFile : public Body {
 public:
  explicit HashedFile(const std::filesystem::path& path) : file_(path) {
    hash_.emplace();
    file_.read([&](std::span<const std::byte> bytes) { hash_->update(bytes); });
  }
  uint64_t size() const override { return file_.size(); }
  void clear() override {
    file_.clear();
    hash_.emplace();
  }
  void append(std::span<const std::byte> bytes) override {
    file_.append(bytes);
    hash_->update(bytes);
  }
  /// Once for all bytes: afterwards clear() begins again.
  std::string digest() {
    std::string text;
    for (const uint8_t byte : hash_->finish()) text += fmt::format("{:02x}", byte);
    return text;
  }
  PartFile& file() { return file_; }

 private:
  PartFile file_;
  std::optional<Sha256> hash_;
};

/// Why an address did not give the file; an empty reason: it did.
struct Failure {
  std::string reason;
  ErrorCode code = ErrorCode::kIo;
};

/// All attempts at one address.
class Attempts {
 public:
  Attempts(std::string url, uint64_t largest, Body& body, const FetchOptions& options)
      : url_(std::move(url)), largest_(largest), body_(body), options_(options) {}

  Failure run() {
    wait_ = options_.first_wait;
    furthest_ = body_.size();
    for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
      const bool resumed = body_.size() > 0;
      HttpResult result = get();
      if (result.outcome == Outcome::kDone && body_.size() >= total_.value_or(0)) return {};
      if (result.outcome == Outcome::kDone) {
        result.outcome = Outcome::kTransient;
        result.reason =
            fmt::format("the server sent up to byte {} of {}", body_.size(), total_.value_or(0));
      }
      if (result.status == 416 && resumed) {
        if (result.size == body_.size()) return {};
        body_.clear();  // what is here is more than the file has
        if (std::exchange(begun_again_, true)) return {result.reason};
        continue;
      }
      if (result.outcome == Outcome::kRefused && resumed && result.status == 206 &&
          !std::exchange(begun_again_, true)) {
        body_.clear();  // a range that nobody asked for, or of another version
        continue;
      }
      if (result.outcome == Outcome::kNotFound) return {result.reason, ErrorCode::kNotFound};
      if (result.outcome == Outcome::kRefused) return {result.reason};
      if (!may_try_again(result)) return {fmt::format("{}, {} times", result.reason, attempt + 1)};
    }
    return {fmt::format("the connection was cut {} times", kMostAttempts)};
  }
  /// Whether the server said how long the file is.
  bool knows_size() const { return total_.has_value(); }
  /// Whether the bytes are of several answers.
  bool has_resumed() const { return has_resumed_; }

 private:
  HttpResult get() {
    HttpSink sink;
    sink.head = [&](const HttpHead& head) {
      if (head.begin == 0 && body_.size() > 0) body_.clear();  // a server that ignores ranges
      has_resumed_ = head.begin > 0;
      total_ = head.total;
      version_ = head.version;
    };
    sink.body = [&](std::span<const std::byte> bytes) {
      body_.append(bytes);
      if (options_.progress) options_.progress(body_.size(), total_);
    };
    HttpRequest request;
    request.url = url_;
    request.begin = body_.size();
    request.version = version_;
    request.largest = largest_;
    request.stalled_seconds = options_.stalled_seconds;
    return http_get(request, sink);
  }

  /// Waits, unless too many attempts have brought nothing.
  bool may_try_again(const HttpResult& result) {
    if (body_.size() > furthest_) {
      furthest_ = body_.size();
      failures_ = 0;
      wait_ = options_.first_wait;
    }
    if (++failures_ > options_.retries) return false;
    static thread_local std::minstd_rand random{std::random_device{}()};
    const double spread = std::uniform_real_distribution<double>(0.75, 1.25)(random);
    const double seconds = std::max(wait_ * spread, std::min(result.retry_after, kLongestAsked));
    tell(options_, fmt::format("{}: {}; trying again in {:.1f} s",
                               printable(without_password(url_)), result.reason, seconds));
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    wait_ = std::min(2 * wait_, kLongestWait);
    return true;
  }

  std::string url_;
  uint64_t largest_;
  Body& body_;
  const FetchOptions& options_;
  std::optional<uint64_t> total_;
  std::string version_;
  bool has_resumed_ = false;
  double wait_ = 0;
  uint64_t furthest_ = 0;
  int failures_ = 0;
  bool begun_again_ = false;
};

/// The file at `url` with the wanted digest, or why not.
Failure get_checked(const std::string& url, HashedFile& body, std::string& sha256,
                    const FetchOptions& options) {
  for (const bool is_second : {false, true}) {
    const bool resumed = body.size() > 0;
    Attempts attempts(url, options.largest, body, options);
    const Failure failure = attempts.run();
    if (!failure.reason.empty()) return failure;
    const std::string digest = body.digest();
    if (sha256.empty() || digest == sha256) {
      sha256 = digest;
      return {};
    }
    const uint64_t size = body.size();
    body.clear();
    // The first bytes may have been another file's, or the last ones cut off in silence.
    if ((resumed || attempts.has_resumed() || !attempts.knows_size()) && !is_second) continue;
    return {fmt::format("its {} bytes have the SHA-256 {}, the card says {}", size, digest, sha256),
            ErrorCode::kCorruptData};
  }
  return {};
}

}  // namespace

Downloaded download(const std::vector<std::string>& urls, const std::filesystem::path& part,
                    const std::string& sha256,
                    const std::function<std::filesystem::path(const std::string&)>& file_of,
                    const FetchOptions& options) {
  HashedFile body(part);
  std::string reasons;
  ErrorCode worst = ErrorCode::kNotFound;
  for (const std::string& url : urls) {
    std::string digest = sha256;
    if (sha256.empty()) body.clear();  // nothing tells whether other bytes belong to this file
    const Failure failure = get_checked(url, body, digest, options);
    if (failure.reason.empty()) {
      body.file().move_to(file_of(digest));
      return {digest, body.size(), url};
    }
    const std::string reason =
        fmt::format("{}: {}", printable(without_password(url)), failure.reason);
    reasons += (reasons.empty() ? "" : "; ") + reason;
    if (url != urls.back()) tell(options, reason + "; trying the next address");
    if (failure.code == ErrorCode::kCorruptData || worst == ErrorCode::kNotFound)
      worst = failure.code;
  }
  if (body.size() == 0) body.file().remove();
  fail(worst, "not fetched: {}", reasons);
}

std::string download_text(const std::string& url, uint64_t largest, const FetchOptions& options) {
  TextBody body;
  FetchOptions quiet = options;
  quiet.progress = nullptr;
  Attempts attempts(url, largest, body, quiet);
  const Failure failure = attempts.run();
  if (!failure.reason.empty())
    fail(failure.code, "not fetched: {}: {}", printable(without_password(url)), failure.reason);
  return std::move(body.text);
}

}  // namespace tessera::hub
