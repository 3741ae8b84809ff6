// One HTTP or HTTPS request, through libcurl. Proxies come from the environment (http_proxy,
// https_proxy, all_proxy, no_proxy), certificates from CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR
// or the system. Redirects are followed a few times, to http and https only, and never from https
// to http. Bodies are asked for as they are; one that comes packed all the same (Content-Encoding)
// is unpacked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace tessera::hub {

struct HttpRequest {
  std::string url;
  uint64_t begin = 0;         // the first byte wanted
  std::string version;        // of the file whose first bytes are here: HttpHead's, or ""
  uint64_t largest = 0;       // bytes of the whole file; more is refused
  long connect_seconds = 20;  // at most, until connected
  long stalled_seconds = 60;  // at most, without a byte
  int redirects = 5;          // at most
};

/// What came before the body.
struct HttpHead {
  long status = 0;
  uint64_t begin = 0;             // the body's place in the file: 0 where the server ignores ranges
  std::optional<uint64_t> total;  // bytes of the whole file, where the server says so
  std::string version;            // the file's ETag, or else its Last-Modified
};

/// Gets the head once, before the first byte of a body; throws to stop.
struct HttpSink {
  std::function<void(const HttpHead&)> head;
  std::function<void(std::span<const std::byte>)> body;
};

struct HttpResult {
  enum class Outcome {
    kDone,       // the body came as far as the server said
    kTransient,  // worth trying again
    kRefused,    // trying again gives the same
    kNotFound,   // 404 or 410
  };
  Outcome outcome = Outcome::kRefused;
  std::string reason;            // "" when done
  long status = 0;               // 0: no answer
  double retry_after = 0;        // seconds that the server asked for
  std::optional<uint64_t> size;  // of the file, of a range that lies beyond it
};

/// Only bodies of a successful answer reach the sink. What the sink throws comes out.
HttpResult http_get(const HttpRequest& request, const HttpSink& sink);

}  // namespace tessera::hub
