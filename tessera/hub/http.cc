#include "tessera/hub/http.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/hub/uid.h"

namespace tessera::hub {
namespace {

using Outcome = HttpResult::Outcome;

struct Curl {
  Curl() : handle(curl_easy_init()) {
    if (handle == nullptr) fail(ErrorCode::kInternal, "libcurl does not start");
    set(CURLOPT_ERRORBUFFER, fault.data());
  }
  ~Curl() { curl_easy_cleanup(handle); }
  Curl(const Curl&) = delete;
  Curl& operator=(const Curl&) = delete;

  template <typename Value>
  void set(CURLoption option, Value value) {
    const CURLcode code = curl_easy_setopt(handle, option, value);
    if (code != CURLE_OK)
      fail(ErrorCode::kInternal, "libcurl refuses option {}: {}", static_cast<int>(option),
           curl_easy_strerror(code));
  }
  template <typename Value>
  Value info(CURLINFO which) const {
    Value value{};
    curl_easy_getinfo(handle, which, &value);
    return value;
  }

  /// A line of the request's head.
  void add_header(const std::string& line) {
    curl_slist* more = curl_slist_append(headers.get(), line.c_str());
    if (more == nullptr) fail(ErrorCode::kInternal, "no memory for a header");
    static_cast<void>(headers.release());
    headers.reset(more);
    set(CURLOPT_HTTPHEADER, more);
  }

  /// The reason for `code`; libcurl's own words also say which host or proxy.
  std::string reason(CURLcode code) const {
    return fault[0] != '\0' ? printable(fault.data()) : curl_easy_strerror(code);
  }

  CURL* handle;
  std::array<char, CURL_ERROR_SIZE> fault{};
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers{nullptr, curl_slist_free_all};
};

/// One hop: its answer's head is complete when the body begins or the transfer ends.
struct Transfer {
  const HttpRequest* request = nullptr;
  const HttpSink* sink = nullptr;
  Curl* curl = nullptr;
  std::optional<std::pair<uint64_t, uint64_t>> range;  // begin and end of Content-Range
  std::optional<uint64_t> total;                       // of Content-Range
  std::string etag, last_modified;
  bool takes_as_is = false;  // whatever Content-Encoding says
  bool is_packed = false;    // by a Content-Encoding
  uint64_t arrived = 0;
  bool has_begun = false;
  std::string refusal;        // why this side stopped the transfer
  std::exception_ptr thrown;  // by the sink

  const std::string& version() const { return etag.empty() ? last_modified : etag; }
};

void read_content_range(std::string_view value, Transfer& transfer) {
  // "bytes 5-9/10", "bytes 5-9/*", "bytes */10"
  value = trim(value);
  if (!value.starts_with("bytes ")) return;
  value = trim(value.substr(6));
  const size_t slash = value.find('/');
  if (slash == std::string_view::npos) return;
  const auto number = [](std::string_view text) -> std::optional<uint64_t> {
    const auto parsed = parse_int(trim(text));
    return parsed && *parsed >= 0 ? std::optional(static_cast<uint64_t>(*parsed)) : std::nullopt;
  };
  transfer.total = number(value.substr(slash + 1));
  const std::string_view bytes = value.substr(0, slash);
  const size_t dash = bytes.find('-');
  if (dash == std::string_view::npos) return;
  const auto begin = number(bytes.substr(0, dash)), last = number(bytes.substr(dash + 1));
  if (begin && last && *begin <= *last) transfer.range = {*begin, *last + 1};
}

/// Others, as "aws-chunked" that some stores keep from an upload, say nothing about the bytes.
bool is_packing(std::string_view coding) {
  constexpr std::array<std::string_view, 5> kKnown{"gzip", "x-gzip", "deflate", "br", "zstd"};
  return std::find(kKnown.begin(), kKnown.end(), coding) != kKnown.end();
}

size_t on_header(char* data, size_t size, size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::string_view line(data, size * count);
  const size_t colon = line.find(':');
  if (line.starts_with("HTTP/")) {  // of a proxy's answer, or 100 Continue, before this one
    transfer.range.reset();
    transfer.total.reset();
    transfer.etag.clear();
    transfer.last_modified.clear();
    transfer.is_packed = false;
  } else if (colon != std::string_view::npos) {
    std::string name(trim(line.substr(0, colon)));
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const std::string_view value = trim(line.substr(colon + 1));
    if (name == "content-range") read_content_range(value, transfer);
    if (name == "etag") transfer.etag = value;
    if (name == "last-modified") transfer.last_modified = value;
    if (name == "content-encoding") transfer.is_packed = !transfer.takes_as_is && is_packing(value);
  }
  return size * count;
}

/// The head for the sink, or a refusal.
void begin_body(Transfer& transfer) {
  transfer.has_begun = true;
  const HttpRequest& request = *transfer.request;
  HttpHead head;
  head.version = transfer.version();
  head.status = transfer.curl->info<long>(CURLINFO_RESPONSE_CODE);
  const auto length = transfer.curl->info<curl_off_t>(CURLINFO_CONTENT_LENGTH_DOWNLOAD_T);
  if (head.status == 206) {
    if (!transfer.range || transfer.range->first != request.begin) {
      transfer.refusal =
          fmt::format("the server sent another range than that from byte {} on", request.begin);
      return;
    }
    if (transfer.is_packed || (!request.version.empty() && !transfer.version().empty() &&
                               request.version != transfer.version())) {
      transfer.refusal = fmt::format("the bytes from {} on are {}", request.begin,
                                     transfer.is_packed ? "packed" : "another version of the file");
      return;
    }
    head.begin = transfer.range->first;
    head.total = transfer.total ? *transfer.total : transfer.range->second;
  } else if (length >= 0 && !transfer.is_packed) {
    head.total = static_cast<uint64_t>(length);
  }
  if (head.total.value_or(0) > request.largest) {
    transfer.refusal = fmt::format("the file has {}; at most {} are fetched",
                                   human_bytes(*head.total), human_bytes(request.largest));
    return;
  }
  transfer.arrived = head.begin;
  transfer.sink->head(head);
}

size_t on_body(char* data, size_t size, size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const size_t bytes = size * count;
  const long status = transfer.curl->info<long>(CURLINFO_RESPONSE_CODE);
  if (status != 200 && status != 206) return bytes;  // the page of an error or a redirect
  try {
    if (!transfer.has_begun) begin_body(transfer);
    if (!transfer.refusal.empty()) return 0;
    transfer.arrived += bytes;
    if (transfer.arrived > transfer.request->largest) {
      transfer.refusal = fmt::format("more than {} came", human_bytes(transfer.request->largest));
      return 0;
    }
    transfer.sink->body({reinterpret_cast<const std::byte*>(data), bytes});
    return bytes;
  } catch (...) {
    transfer.thrown = std::current_exception();
    return 0;
  }
}

/// The first of these variables that is set and not empty.
const char* environment(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return nullptr;
}

void set_up(Curl& curl, Transfer& transfer, const std::string& url) {
  const HttpRequest& request = *transfer.request;
  curl.set(CURLOPT_URL, url.c_str());
  curl.set(CURLOPT_PROTOCOLS_STR, "http,https");
  curl.set(CURLOPT_FOLLOWLOCATION, 0L);  // followed here, where each hop is checked
  curl.set(CURLOPT_NOSIGNAL, 1L);
  curl.set(CURLOPT_USERAGENT, "tessera");
  curl.set(CURLOPT_CONNECTTIMEOUT, request.connect_seconds);
  curl.set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl.set(CURLOPT_LOW_SPEED_TIME, request.stalled_seconds);
  curl.set(CURLOPT_BUFFERSIZE, 256L << 10);
  curl.set(CURLOPT_HEADERFUNCTION, on_header);
  curl.set(CURLOPT_HEADERDATA, &transfer);
  curl.set(CURLOPT_WRITEFUNCTION, on_body);
  curl.set(CURLOPT_WRITEDATA, &transfer);
  curl.set(CURLOPT_HTTP09_ALLOWED, 0L);
  const std::string range = fmt::format("{}-", request.begin);
  if (request.begin > 0) curl.set(CURLOPT_RANGE, range.c_str());
  // A weak ETag says that two files mean the same, not that they have the same bytes.
  if (request.begin > 0 && !request.version.empty() && !request.version.starts_with("W/"))
    curl.add_header("If-Range: " + request.version);
  curl.set(CURLOPT_ACCEPT_ENCODING, "identity");
  if (transfer.takes_as_is) curl.set(CURLOPT_HTTP_CONTENT_DECODING, 0L);
  if (const char* file = environment({"CURL_CA_BUNDLE", "SSL_CERT_FILE"}))
    curl.set(CURLOPT_CAINFO, file);
  if (const char* folder = environment({"SSL_CERT_DIR"})) curl.set(CURLOPT_CAPATH, folder);
}

bool is_transient(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_WEIRD_SERVER_REPLY:
      return true;
    default:
      return false;
  }
}

bool is_transient_status(long status) {
  return status == 408 || status == 425 || status == 429 || status == 500 || status == 502 ||
         status == 503 || status == 504;
}

HttpResult failed(const Curl& curl, CURLcode code, const Transfer& transfer) {
  HttpResult result;
  result.status = curl.info<long>(CURLINFO_RESPONSE_CODE);
  result.outcome = is_transient(code) ? Outcome::kTransient : Outcome::kRefused;
  result.reason = transfer.refusal;
  if (!result.reason.empty()) {
    result.outcome = Outcome::kRefused;
  } else if (code == CURLE_PARTIAL_FILE) {
    result.reason = fmt::format(
        "the connection ended after {} bytes, before the length that the "
        "server had said",
        transfer.arrived);
  } else if (code == CURLE_OPERATION_TIMEDOUT) {
    result.reason = "no bytes came in time";
  } else {
    result.reason = curl.reason(code);
  }
  if (code == CURLE_PEER_FAILED_VERIFICATION)
    result.reason += "; SSL_CERT_FILE or CURL_CA_BUNDLE name further certificates";
  return result;
}

HttpResult answered(const Curl& curl, const Transfer& transfer) {
  HttpResult result;
  result.status = curl.info<long>(CURLINFO_RESPONSE_CODE);
  if (result.status == 200 || result.status == 206) {
    result.outcome = Outcome::kDone;
    return result;
  }
  result.reason = fmt::format("the server answers {}", result.status);
  result.size = transfer.total;
  result.retry_after = static_cast<double>(curl.info<curl_off_t>(CURLINFO_RETRY_AFTER));
  if (is_transient_status(result.status)) result.outcome = Outcome::kTransient;
  if (result.status == 404 || result.status == 410) result.outcome = Outcome::kNotFound;
  return result;
}

/// Why the redirect is not followed, or "".
std::string why_not_there(const std::string& from, const std::string& to) {
  const auto is_https = [](std::string_view url) {
    return url.size() > 5 && (url[4] == 's' || url[4] == 'S');
  };
  if (!is_url(to)) return "only http and https are followed";
  if (is_https(from) && !is_https(to)) return "from https to http is not followed";
  return {};
}

void start_libcurl() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
      fail(ErrorCode::kInternal, "libcurl does not start");
  });
}

}  // namespace

HttpResult http_get(const HttpRequest& request, const HttpSink& sink) {
  start_libcurl();
  std::string url = request.url;
  HttpResult refused;
  bool as_is = false;
  for (int hop = 0; hop <= request.redirects; ++hop) {
    Curl curl;
    Transfer transfer;
    transfer.takes_as_is = as_is;
    transfer.request = &request;
    transfer.sink = &sink;
    transfer.curl = &curl;
    set_up(curl, transfer, url);
    const CURLcode code = curl_easy_perform(curl.handle);
    if (transfer.thrown) std::rethrow_exception(transfer.thrown);
    if (code == CURLE_BAD_CONTENT_ENCODING && !std::exchange(as_is, true)) {
      --hop;
      continue;
    }
    if (code != CURLE_OK) return failed(curl, code, transfer);
    const long status = curl.info<long>(CURLINFO_RESPONSE_CODE);
    const char* next = curl.info<char*>(CURLINFO_REDIRECT_URL);
    if (next == nullptr || status < 300 || status > 399) {
      if (!transfer.has_begun && (status == 200 || status == 206)) {  // an empty body
        begin_body(transfer);
        if (!transfer.refusal.empty()) return failed(curl, CURLE_WRITE_ERROR, transfer);
      }
      return answered(curl, transfer);
    }
    refused.status = status;
    const std::string to = next;
    if (const std::string why = why_not_there(url, to); !why.empty()) {
      refused.reason = fmt::format("it redirects to {}: {}", printable(without_password(to)), why);
      return refused;
    }
    url = to;
  }
  refused.reason = fmt::format("it redirects more than {} times, at last to {}", request.redirects,
                               printable(without_password(url)));
  return refused;
}

}  // namespace tessera::hub
