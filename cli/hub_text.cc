#include "cli/hub_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "tessera/base/text.h"
#include "tessera/hub/uid.h"
#include "tessera/zoo/zoo.h"

namespace tessera::cli {
namespace {

using hub::Asset;
using hub::Card;

constexpr size_t kLongestCell = 60;

std::string zoo_name(const Card& card) {
  const ModelDef* model = find_hub_model(card.model.empty() ? card.backbone : card.model);
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

}  // namespace

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

}  // namespace tessera::cli
