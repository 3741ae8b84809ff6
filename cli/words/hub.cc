#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/common_options.h"
#include "cli/hub_options.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/word.h"
#include "tessera/base/text.h"
#include "tessera/hub/cache.h"
#include "tessera/hub/card_index.h"
#include "tessera/hub/fetch.h"
#include "tessera/hub/uid.h"
#include "tessera/io/file.h"
#include "tessera/model/hub.h"
#include "tessera/zoo/zoo.h"

namespace tessera::cli {
namespace {

using hub::Asset;
using hub::Card;

constexpr size_t kLongestCell = 60;

std::string zoo_name(const Card& card) {
  const ModelDef* model = hub::model_of(card);
  return model == nullptr ? std::string() : std::string(model->name);
}

void append_list(Json& out, std::string_view key, const std::vector<std::string>& items) {
  out.key(key).open('[');
  for (const std::string& item : items) out.value(item);
  out.close();
}

void append_text(Json& out, std::string_view key, const std::string& text) {
  out.key(key);
  text.empty() ? out.null() : out.value(text);
}

std::string formats_of(const Card& card) {
  std::vector<std::string> formats;
  for (const Asset& asset : card.assets) formats.push_back(asset.format);
  return printable(join(formats, " "), kLongestCell);
}

std::string accuracy_text(const Card& card) {
  return printable(card.accuracy.empty() ? card.evaluation : card.accuracy, kLongestCell);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

/// The card as one object: what `hub list --json` has for each, and index.json of a base URL.
void append_card(Json& out, const Card& card) {
  out.open('{').field("uid", card.uid).field("place", card.place);
  append_text(out, "model", card.model);
  append_text(out, "backbone", card.backbone);
  append_text(out, "dataset", card.dataset);
  out.key("accuracy");
  if (card.accuracy_number)
    out.value(*card.accuracy_number);
  else if (!card.accuracy.empty())
    out.value(card.accuracy);
  else
    out.null();
  append_text(out, "evaluation", card.evaluation);
  append_text(out, "zoo", zoo_name(card));
  out.key("assets").open('[');
  for (const Asset& asset : card.assets) {
    out.open('{').field("file_format", asset.format).field("link", asset.link);
    append_text(out, "sha256", asset.sha256);
    out.close();
  }
  out.close();
  append_list(out, "problems", card.problems);
  append_list(out, "notes", card.notes);
  out.close();
}

/// A line per card, then what is malformed and why.
void print_cards(std::span<const Card> cards) {
  Table table({"uid", "model", "data set", "accuracy", "files", "zoo"});
  size_t malformed = 0;
  for (const Card& card : cards) {
    malformed += card.problems.empty() ? 0 : 1;
    table.add({printable(card.uid, 200), printable(card.model, kLongestCell),
               printable(card.dataset, kLongestCell), accuracy_text(card), formats_of(card),
               zoo_name(card)});
  }
  fmt::print("{}{} cards, {} malformed\n", table.to_string(), cards.size(), malformed);
  for (const Card& card : cards)
    for (const std::string& problem : card.problems)
      fmt::print("malformed: {}: {}\n", printable(card.uid), printable(problem, 500));
}

void print_card(const Card& card) {
  fmt::print("{}\n  from {}\n", printable(card.uid), printable(hub::without_password(card.place)));
  size_t width = 0;
  for (const auto& [key, value] : card.fields) width = std::max(width, key.size());
  for (const auto& [key, value] : card.fields)
    if (key != "asset") fmt::print("  {:<{}}  {}\n", printable(key), width, printable(value, 1000));
  const Asset* weights = card.weights();
  for (const Asset& asset : card.assets) {
    fmt::print("  file: {}{}\n    {}\n    SHA-256 {}\n", printable(asset.format),
               &asset == weights ? ", the one that is fetched" : "",
               printable(hub::without_password(asset.link), 1000),
               asset.sha256.empty() ? "not known: " + printable(asset.hash_reason) : asset.sha256);
  }
  const std::string zoo = zoo_name(card);
  fmt::print("  model of Tessera's zoo: {}\n", zoo.empty() ? "none" : zoo);
  for (const std::string& problem : card.problems)
    fmt::print("  malformed: {}\n", printable(problem, 500));
  for (const std::string& note : card.notes) fmt::print("  note: {}\n", printable(note, 500));
}

/// Every word is part of the card's uid, names, data set, kind, uses or summary, in any case.
bool has_words(const Card& card, std::span<const std::string> words) {
  std::string text = card.uid;
  for (const std::string_view key : {"model-name", "backbone-name", "train-dataset", "module-type",
                                     "used-for", "summary", "evaluation"})
    text += "\n" + card.field(key);
  text += "\n" + card.model + "\n" + card.backbone + "\n" + card.dataset;
  const std::string all = lower(text);
  return std::all_of(words.begin(), words.end(), [&](const std::string& word) {
    return all.find(lower(word)) != std::string::npos;
  });
}

struct Request {
  HubOptions hub;
  std::vector<std::string> words;
  std::string name;
  std::string format;
  std::string output;
  bool all = false;
  bool json = false;
  bool quiet = false;

  hub::FetchOptions fetch_options() const { return hub.fetch_options(quiet || json); }
};
using RequestPtr = std::shared_ptr<Request>;

void list(const Request& request) {
  const auto index = hub::open_hub(request.hub.hub, request.fetch_options());
  std::vector<hub::Card> cards = index->all();
  std::erase_if(cards, [&](const hub::Card& card) { return !has_words(card, request.words); });
  if (!request.json) return print_cards(cards);
  Json out;
  out.open('{').field("hub", hub::without_password(index->name()));
  out.field("count", static_cast<uint64_t>(cards.size())).key("cards").open('[');
  for (const hub::Card& card : cards) append_card(out, card);
  out.close().key("malformed").open('[');
  for (const hub::Card& card : cards)
    if (!card.problems.empty())
      out.open('{')
          .field("uid", card.uid)
          .field("place", card.place)
          .field("reason", join(card.problems, "; "))
          .close();
  fmt::print("{}\n", out.close().close().text());
}

void show(const Request& request) {
  const hub::Card card = hub::resolve_card(request.name, request.hub.hub, request.fetch_options());
  if (!request.json) return print_card(card);
  Json out;
  append_card(out, card);
  fmt::print("{}\n", out.text());
}

/// Copies the file, which appears under its name when it is complete.
void copy_to(const std::filesystem::path& from, const std::filesystem::path& to) {
  FileSystem& files = local_file_system();
  const auto in = files.open(from);
  AtomicFile out(files, to);
  std::vector<std::byte> buffer(size_t{1} << 20);
  for (uint64_t at = 0; at < in->size();) {
    const size_t count = static_cast<size_t>(std::min<uint64_t>(buffer.size(), in->size() - at));
    const auto part = std::span(buffer).first(count);
    in->read(at, part);
    out.file().append(part);
    at += count;
  }
  out.commit();
}

void fetch(const Request& request) {
  const hub::FetchOptions options = request.fetch_options();
  const hub::Card card = hub::resolve_card(request.name, request.hub.hub, options);
  const hub::Fetched got = hub::fetch_asset(card, request.format, options);
  std::string path = got.path.string();
  if (!request.output.empty()) {
    copy_to(got.path, request.output);
    path = request.output;
  }
  if (request.json) {
    Json out;
    out.open('{').field("uid", card.uid).field("path", path).field("sha256", got.sha256);
    out.field("bytes", got.size).field("verified", got.is_verified);
    out.field("from_cache", got.url.empty()).field("url", hub::without_password(got.url));
    return fmt::print("{}\n", out.close().text());
  }
  fmt::print("{}\n", path);
  if (request.quiet) return;
  fmt::print(stderr, "{}, SHA-256 {} {}\n",
             got.url.empty() ? "from the cache" : human_bytes(got.size), got.sha256,
             got.is_verified ? "as the card says" : "(the card gives none: not checked)");
}

/// What each file of the cache belongs to.
std::multimap<std::string, std::string> owners(const hub::Cache& cache) {
  std::multimap<std::string, std::string> owners;
  for (const hub::Ref& ref : cache.refs()) {
    if (!ref.card.empty()) owners.emplace(ref.card, ref.uid + " (card)");
    if (!ref.asset.empty()) owners.emplace(ref.asset, ref.uid);
  }
  return owners;
}

void verify(const Request& request) {
  const hub::Cache cache(request.hub.cache);
  const auto of = owners(cache);
  Json out;
  out.open('{').field("cache", cache.root().string()).key("files").open('[');
  Table table({"SHA-256", "bytes", "state", "of"});
  size_t wrong = 0;
  for (const hub::CachedFile& file : cache.files()) {
    const bool is_right = file.is_part || cache.is_right(file.sha256);
    wrong += is_right ? 0 : 1;
    const char* state = file.is_part ? "partial" : is_right ? "right" : "damaged";
    std::vector<std::string> names;
    for (auto [it, end] = of.equal_range(file.sha256); it != end; ++it) names.push_back(it->second);
    table.add({file.sha256, std::to_string(file.size), state, printable(join(names, ", "))});
    out.open('{').field("sha256", file.sha256).field("bytes", file.size).field("state", state);
    out.key("of").open('[');
    for (const std::string& name : names) out.value(name);
    out.close().close();
  }
  out.close().field("damaged", static_cast<uint64_t>(wrong)).close();
  if (request.json)
    fmt::print("{}\n", out.text());
  else
    fmt::print("{}{}: {} damaged\n", table.to_string(), cache.root().string(), wrong);
  if (wrong > 0) throw ExitStatus{kExitInput};
}

void clean(const Request& request) {
  hub::Cache cache(request.hub.cache);
  uint64_t bytes = 0, count = 0, busy = 0;
  for (const hub::CachedFile& file : cache.files()) {
    if (!request.all && !file.is_part && cache.is_right(file.sha256)) continue;
    const bool removed = cache.remove(file);
    busy += removed ? 0 : 1;
    count += removed ? 1 : 0;
    bytes += removed ? file.size : 0;
  }
  if (request.all)
    for (const hub::Ref& ref : cache.refs()) cache.remove_ref(ref);
  if (request.json) {
    Json out;
    out.open('{').field("cache", cache.root().string()).field("removed", count);
    out.field("bytes", bytes).field("in_use", busy);
    return fmt::print("{}\n", out.close().text());
  }
  fmt::print("{}: removed {} files, {}{}\n", cache.root().string(), count, human_bytes(bytes),
             busy > 0 ? fmt::format("; {} are being fetched", busy) : "");
}

void declare_output(Arguments& arguments, const RequestPtr& request) {
  arguments.group("General");
  arguments.flag("--json", request->json, "print JSON");
  arguments.flag("--quiet", request->quiet, "no progress bar, nothing but the result");
}

std::function<void()> declare(Arguments& arguments) {
  const auto chosen = std::make_shared<std::function<void()>>();
  const auto word = [&](const char* name, const char* doc, void (*run)(const Request&),
                        const std::function<void(Arguments&, Request&)>& take) {
    arguments.word(name, doc, *chosen, [&](Arguments& below) {
      const auto request = std::make_shared<Request>();
      take(below, *request);
      declare_output(below, request);
      return [run, request] { run(*request); };
    });
  };
  const auto name = [](Arguments& below, Request& request) {
    below.positional("card", request.name, "uid, URL of a card, or path of a .md file");
    request.hub.declare_place(below);
  };
  word("list", "every card: model, data set, accuracy, files; and what is malformed", list,
       [](Arguments& below, Request& request) { request.hub.declare_place(below); });
  word("search", "the cards that have all these words", list,
       [](Arguments& below, Request& request) {
         below.positionals("word", request.words, "part of a uid, model, data set, summary");
         request.hub.declare_place(below);
       });
  word("show", "all that one card says", show, name);
  word("fetch", "fetch a card's file, check its SHA-256, print where it is", fetch,
       [&](Arguments& below, Request& request) {
         name(below, request);
         request.hub.declare_fetch(below);
         below.option("--format", request.format,
                      "ckpt, mindir, …; default: the last ckpt, else the first file");
         below.option("--output", request.output, "copy the file to this path too");
       });
  word("verify", "check every file of the cache by its SHA-256", verify,
       [](Arguments& below, Request& request) {
         below.option("--cache", request.hub.cache, "folder; default: TESSERA_CACHE");
       });
  word("clean", "remove partial and damaged files from the cache", clean,
       [](Arguments& below, Request& request) {
         below.option("--cache", request.hub.cache, "folder; default: TESSERA_CACHE");
         below.flag("--all", request.all, "remove everything");
       });
  return [chosen] { (*chosen)(); };
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(hub) {
  return {
      .doc = "models of MindSpore Hub: list, search, show, fetch, verify, clean",
      .examples = {"tessera hub list --hub ../hub --json", "tessera hub search googlenet cifar10",
                   "tessera hub show mindspore/1.10/lenet_mnist",
                   "tessera hub fetch mindspore/1.10/lenet_mnist --mirror https://mirror.example",
                   "tessera eval hub:mindspore/1.10/lenet_mnist --data mnist:DIR"},
      .declare = tessera::cli::declare,
  };
}
