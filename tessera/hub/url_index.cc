// Cards behind a URL: one request each, kept in the cache.
#include <fmt/format.h>

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/hub/cache.h"
#include "tessera/hub/card_index.h"
#include "tessera/hub/uid.h"
#include "tessera/io/json.h"

namespace tessera::hub {
namespace {

constexpr uint64_t kLargestIndex = uint64_t{64} << 20;
constexpr size_t kMostCards = 100'000;

Card read_card_of(const std::string& hub, const std::string& uid, const std::string& url,
                  std::string_view text) {
  Card card = read_card(uid, text);
  card.hub = hub;
  card.place = url;
  return card;
}

/// The card at `url`, or the one that the cache keeps of it when `offline` or nobody answers.
Card fetch_card(const std::string& hub, const std::string& uid, const std::string& url,
                const FetchOptions& options) {
  Cache cache(options.cache);
  const std::optional<Ref> known = cache.ref(hub, uid);
  const bool is_kept = known && !known->card.empty() && cache.has(known->card);
  const auto kept = [&] { return read_card_of(hub, uid, url, cache.text(known->card)); };
  if (options.offline) {
    if (is_kept) return kept();
    fail(ErrorCode::kNotFound, "offline, and card '{}' of {} is not in the cache {}",
         printable(uid), printable(without_password(hub)), printable(cache.root().string()));
  }
  try {
    const std::string text = download_text(url, kLargestCard, options);
    Ref ref = known.value_or(Ref{hub, uid, "", "", ""});
    ref.card = cache.put(text);
    cache.set_ref(ref);
    return read_card_of(hub, uid, url, text);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIo || !is_kept) throw;
    if (options.tell)
      options.tell(fmt::format("{}; the card that the cache keeps is used", error.what()));
    return kept();
  }
}

/// An entry of index.json, as `tessera hub list --json` prints it.
Card read_entry(const Json& entry) {
  Card card;
  const auto text = [](const Json& from, std::string_view key) {
    const Json* found = from.find(key);
    return found != nullptr && found->is_string() ? found->as_string() : std::string();
  };
  card.uid = text(entry, "uid");
  card.model = text(entry, "model");
  card.backbone = text(entry, "backbone");
  card.dataset = text(entry, "dataset");
  card.evaluation = text(entry, "evaluation");
  card.is_read = true;
  if (const Json* accuracy = entry.find("accuracy"); accuracy != nullptr && !accuracy->is_null()) {
    if (!accuracy->is_string()) card.accuracy_number = accuracy->as_double();
    card.accuracy =
        accuracy->is_string() ? accuracy->as_string() : fmt::format("{}", accuracy->as_double());
  }
  const auto list = [&](std::string_view key, const auto& add) {
    if (const Json* items = entry.find(key); items != nullptr && items->is_array())
      for (const Json& item : items->items()) add(item);
  };
  list("assets", [&](const Json& item) {
    Asset asset;
    asset.format = text(item, "file_format");
    asset.link = text(item, "link");
    asset.sha256 = text(item, "sha256");
    card.assets.push_back(std::move(asset));
  });
  list("problems", [&](const Json& item) { card.problems.push_back(item.as_string()); });
  list("notes", [&](const Json& item) { card.notes.push_back(item.as_string()); });
  if (const auto why = why_no_uid(card.uid))
    card.problems.push_back(fmt::format("its uid is none: {}", *why));
  return card;
}

/// What gives the card's text, where `name` may be the address of the page that shows it.
std::string card_url(std::string url) {
  const size_t blob = url.find("/blob/");
  if (blob != std::string::npos && url.find("/mshub_res/assets/") != std::string::npos)
    url.replace(blob, 6, "/raw/");
  return url_path(url).ends_with(".md") || url.find('?') != std::string::npos ? url : url + ".md";
}

class Url : public CardIndex {
 public:
  Url(std::string base, const FetchOptions& options) : base_(std::move(base)), options_(options) {
    while (base_.ends_with('/')) base_.pop_back();
    if (const auto why = why_no_link(base_))
      fail(ErrorCode::kInvalidArgument, "'{}' is no base URL of cards: {}", printable(base_), *why);
  }

  Card find(const std::string& uid) const override {
    return fetch_card(base_, uid, fmt::format("{}/{}.md", base_, url_encode(uid)), options_);
  }

  std::vector<Card> all() const override {
    if (options_.offline) return kept_cards();
    if (const auto json = optional_text("/index.json")) return from_json(*json);
    if (const auto text = optional_text("/index.txt")) return from_list(*text);
    fail(ErrorCode::kNotFound,
         "{} has neither index.json nor index.txt, so its cards cannot be listed, only shown and "
         "loaded by uid; 'tessera hub list --hub FOLDER --json' prints an index.json to put there",
         printable(without_password(base_)));
  }

  const std::string& name() const override { return base_; }

 private:
  std::optional<std::string> optional_text(const std::string& name) const {
    try {
      return download_text(base_ + name, kLargestIndex, options_);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kNotFound) return {};
      throw;
    }
  }

  static std::vector<Card> sorted(std::vector<Card> cards) {
    std::sort(cards.begin(), cards.end(),
              [](const Card& a, const Card& b) { return a.uid < b.uid; });
    return cards;
  }

  std::vector<Card> from_json(const std::string& text) const {
    const ErrorContext context([&] { return fmt::format("reading {}/index.json", base_); });
    const Json root = parse_json(text);
    std::vector<Card> cards;
    for (const Json& entry : (root.is_object() ? root.at("cards") : root).items()) {
      cards.push_back(read_entry(entry));
      cards.back().hub = cards.back().place = base_;
    }
    return sorted(std::move(cards));
  }

  std::vector<Card> from_list(const std::string& text) const {
    std::vector<Card> cards;
    for (const std::string_view line : split(text, '\n')) {
      const std::string_view name = trim(line);
      if (name.empty() || name.starts_with('#')) continue;
      require_valid(cards.size() < kMostCards, "{}/index.txt names more than {} cards", base_,
                    kMostCards);
      try {
        cards.push_back(find(parse_uid(name)));
      } catch (const Error& error) {
        cards.push_back(unreadable_card(printable(name, 1024), error.what()));
      }
    }
    return sorted(std::move(cards));
  }

  std::vector<Card> kept_cards() const {
    std::vector<Card> cards;
    const Cache cache(options_.cache);
    for (const Ref& ref : cache.refs())
      if (ref.hub == base_ && !ref.card.empty()) cards.push_back(find(ref.uid));
    if (cards.empty())
      fail(ErrorCode::kNotFound,
           "offline, and the cache {} keeps no card of {}; its list is not kept",
           printable(cache.root().string()), printable(without_password(base_)));
    return cards;
  }

  std::string base_;
  FetchOptions options_;
};

}  // namespace

std::unique_ptr<CardIndex> open_url(const std::string& base, const FetchOptions& options) {
  return std::make_unique<Url>(base, options);
}

Card resolve_card(const std::string& name, const std::string& hub, const FetchOptions& options,
                  bool may_be_file) {
  if (is_url(name)) {
    if (const auto why = why_no_link(name))
      fail(ErrorCode::kInvalidArgument, "'{}' is no URL of a card: {}", printable(name), *why);
    const std::string url = card_url(name);
    return fetch_card(url.substr(0, url.find('/', url.find("://") + 3)), uid_of_url(url), url,
                      options);
  }
  std::error_code ignored;
  if (may_be_file && name.ends_with(".md") && std::filesystem::is_regular_file(name, ignored)) {
    const std::filesystem::path path = name;
    return read_card_file(path.stem().string(), path);
  }
  return open_hub(hub, options)->find(parse_uid(name));
}

}  // namespace tessera::hub
