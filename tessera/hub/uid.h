// Names of cards. A uid is the path of a card below mshub_res/assets, without ".md":
//
//   mindspore/ascend/0.7/googlenet_v1_cifar10        mindspore/1.10/lenet_mnist
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tessera::hub {

/// Why `text` is no uid, or nothing: parts between '/' are not empty, do not begin with '.', have
/// no backslash, ':' or control byte, and are UTF-8 of at most 255 bytes.
std::optional<std::string> why_no_uid(std::string_view text);
/// `text` without ".md" at its end. Throws kInvalidArgument when it is no uid.
std::string parse_uid(std::string_view text);

/// Whether `text` begins with "http://" or "https://", in any case.
bool is_url(std::string_view text);
/// Why `text` is no address of a file to fetch, or nothing: http or https, a host, no control
/// bytes, blanks or backslashes, no ".." in its path.
std::optional<std::string> why_no_link(std::string_view text);
/// The path of a URL with its first '/', without query and fragment; "" when it has none.
std::string_view url_path(std::string_view url);
/// `url` without the password that may stand in it: for messages.
std::string without_password(std::string_view url);
/// `path` with the bytes that a URL does not hold as they are as %XX; '/' stays.
std::string url_encode(std::string_view path);
/// The uid that the URL of a card names: what follows "mshub_res/assets/", or else its last part.
std::string uid_of_url(std::string_view url);

}  // namespace tessera::hub
