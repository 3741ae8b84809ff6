#include "tessera/hub/card_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <system_error>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/hub/uid.h"

namespace tessera::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAssets = "mshub_res/assets/";

struct CardText {
  std::string_view uid;
  std::string_view text;
};
constexpr CardText kBuiltIn[] = {
#include "tessera/hub_cards.inc"
};

[[noreturn]] void no_card(const std::string& uid, const std::string& hub,
                          const std::vector<std::string>& known) {
  fail(ErrorCode::kNotFound, "there is no card '{}' in {}{}", printable(uid), printable(hub),
       suggest(uid, known));
}

bool is_markdown(std::string_view name) {
  return name.size() > 3 && (name.ends_with(".md") || name.ends_with(".MD"));
}

class BuiltIn : public CardIndex {
 public:
  std::vector<Card> all() const override {
    std::vector<Card> cards;
    for (const CardText& one : kBuiltIn) {
      cards.push_back(read_card(std::string(one.uid), one.text));
      cards.back().hub = cards.back().place = name_;
    }
    return cards;
  }
  Card find(const std::string& uid) const override {
    std::vector<std::string> known;
    for (Card& card : all()) {
      if (card.uid == uid) return std::move(card);
      known.push_back(card.uid);
    }
    fail(ErrorCode::kNotFound,
         "there is no card '{}' among Tessera's own{}; --hub or TESSERA_HUB name a folder or URL "
         "with others",
         printable(uid), suggest(uid, known));
  }
  const std::string& name() const override { return name_; }

 private:
  std::string name_ = "built-in";
};

class Folder : public CardIndex {
 public:
  explicit Folder(const fs::path& root) : name_(root.string()) {
    std::error_code error;
    root_ = fs::canonical(root, error);
    if (error || !fs::is_directory(root_))
      fail(ErrorCode::kNotFound, "there is no folder {}", printable(name_));
    has_assets_ = fs::is_directory(root_ / "mshub_res" / "assets", error);
    scan();
  }

  std::vector<Card> all() const override {
    std::vector<Card> cards;
    for (const auto& [uid, path] : paths_) {
      Card card = read(uid, path);
      const bool is_card = !card.model.empty() || !card.backbone.empty() || !card.assets.empty();
      if (is_card || !may_be_document(path)) cards.push_back(std::move(card));
    }
    return cards;
  }

  Card find(const std::string& uid) const override {
    std::vector<std::string> known, ends, places;
    const fs::path* found = nullptr;
    for (const auto& [name, path] : paths_) {
      known.push_back(name);
      if (name == uid) {
        places.push_back(path.string());
        found = &path;
      } else if (name.ends_with("/" + uid)) {
        ends.push_back(name);
      }
    }
    require(places.size() <= 1, "'{}' is the uid of {} cards; name one by its path: {}",
            printable(uid), places.size(), printable(join_first(places, 5), 2000));
    if (found != nullptr) return read(uid, *found);
    if (ends.empty()) no_card(uid, name_, known);
    require(ends.size() == 1, "'{}' may be any of {}", printable(uid),
            printable(join_first(ends, 5), 1000));
    return read(ends[0], paths_.find(ends[0])->second);
  }

  const std::string& name() const override { return name_; }

 private:
  void scan() {
    constexpr auto kOptions = fs::directory_options::skip_permission_denied;
    std::error_code error;
    fs::recursive_directory_iterator it(root_, kOptions, error), end;
    if (error) fail(ErrorCode::kIo, "reading folder {}: {}", printable(name_), error.message());
    for (; it != end; it.increment(error)) {
      if (error) fail(ErrorCode::kIo, "reading folder {}: {}", printable(name_), error.message());
      const std::string file = it->path().filename().string();
      if (file.starts_with('.')) {
        it.disable_recursion_pending();
      } else if (is_markdown(file) && !it->is_directory(error)) {
        paths_.emplace(uid_of(it->path()), it->path());
      }
    }
  }

  std::string uid_of(const fs::path& path) const {
    const std::string whole = path.string();
    const size_t assets = whole.rfind(kAssets);
    std::string uid = assets == std::string::npos ? path.lexically_relative(root_).string()
                                                  : whole.substr(assets + kAssets.size());
    return uid.substr(0, uid.size() - 3);
  }

  /// A README beside the assets is no malformed card.
  bool may_be_document(const fs::path& path) const {
    if (path.string().find(kAssets) != std::string::npos) return false;
    const std::string file = path.filename().string();
    return has_assets_ || file.starts_with("README") || file.starts_with("CONTRIBUTING");
  }

  Card read(const std::string& uid, const fs::path& path) const {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    Card card = fs::is_regular_file(status) ? read_card_file(uid, path)
                                            : unreadable_card(uid, why_no_file(path, status));
    card.place = path.string();
    card.hub = name_;
    if (const auto why = why_no_uid(uid))
      card.problems.push_back(fmt::format("its path makes no uid: {}", *why));
    if (!is_utf8(card.uid)) card.uid = printable(card.uid, 1024);
    return card;
  }

  /// A pipe or a device would be waited for, or never end.
  static std::string why_no_file(const fs::path& path, const fs::file_status& status) {
    std::error_code error;
    return fs::is_symlink(fs::symlink_status(path, error)) && !fs::exists(status)
               ? "it is a link that leads to no file"
               : "it is no regular file";
  }

  std::string name_;
  fs::path root_;
  bool has_assets_ = false;
  std::multimap<std::string, fs::path> paths_;  // by uid
};

}  // namespace

std::unique_ptr<CardIndex> open_folder(const fs::path& folder) {
  return std::make_unique<Folder>(folder);
}

std::unique_ptr<CardIndex> open_built_in() {
  return std::make_unique<BuiltIn>();
}

std::unique_ptr<CardIndex> open_hub(const std::string& place, const FetchOptions& options) {
  const char* environment = std::getenv("TESSERA_HUB");
  const std::string chosen = !place.empty() ? place : environment == nullptr ? "" : environment;
  if (chosen.empty() || chosen == "built-in") return open_built_in();
  return is_url(chosen) ? open_url(chosen, options) : open_folder(chosen);
}

}  // namespace tessera::hub
