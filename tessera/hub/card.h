// A card of a hub: what MindSpore Hub says about one model, as markdown whose front matter is YAML.
// Reading one never fails: what is wrong with it is part of it. docs/formats/hub-card.md tells
// more.
//
//   const Card card = read_card("mindspore/1.10/lenet_mnist", text);
//   for (const std::string& problem : card.problems) …
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tessera::hub {

inline constexpr uint64_t kLargestCard = uint64_t{1} << 20;  // bytes

/// A file that a card offers.
struct Asset {
  std::string format;       // "ckpt", "mindir", "air", "onnx", "mslite"
  std::string link;         // without the <…> that may stand around it
  std::string sha256;       // 64 lower-case digits; empty: the card gives none that could be one
  std::string hash_reason;  // why sha256 is empty
  std::string link_reason;  // why the link cannot be fetched; empty: it can
};

struct Card {
  std::string uid;
  std::string hub;       // the folder or base URL it is of, or "built-in"
  std::string place;     // the file or URL it was read from
  bool is_read = false;  // its front matter could be read
  std::string model;     // model-name
  std::string backbone;  // backbone-name
  std::string dataset;   // train-dataset
  std::string accuracy;  // as it stands there
  std::string evaluation;
  /// accuracy, or else the first number of an evaluation such as "top1acc76.97 | top5acc93.44", as
  /// the card has it: some count to 1, others to 100.
  std::optional<double> accuracy_number;
  std::vector<Asset> assets;
  std::vector<std::pair<std::string, std::string>>
      fields;                         // everything, nested values as JSON-like text
  std::vector<std::string> problems;  // what makes it malformed
  std::vector<std::string> notes;     // what was read generously

  /// The value of a key; "" where it has none.
  const std::string& field(std::string_view key) const;
  /// The asset that MindSpore Hub loads: the last whose format is ckpt, else the first. Null: none.
  const Asset* weights() const;
};

/// The card in `text`. `uid` may be anything.
Card read_card(std::string uid, std::string_view text);
/// The card in a file; one that cannot be read says why.
Card read_card_file(std::string uid, const std::filesystem::path& path);
/// A card that could not be read at all, with the reason.
Card unreadable_card(std::string uid, std::string reason);

}  // namespace tessera::hub
