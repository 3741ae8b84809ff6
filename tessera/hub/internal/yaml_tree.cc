#include "tessera/hub/internal/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "tessera/base/text.h"

namespace tessera::hub::internal {
namespace {

constexpr size_t kMostBytes = 64 << 10;
constexpr size_t kMostNodes = 4096;
constexpr size_t kDeepest = 16;

/// Thrown through the parser.
struct Refused {
  YamlFault fault;
};

/// Builds the tree; a key that is no scalar is refused.
class Builder : public YAML::EventHandler {
 public:
  YamlTree take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    add(mark, YamlTree::Kind::kNull, "");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    throw Refused{{"an alias (*name) is not read", mark.line}};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    add(mark, YamlTree::Kind::kScalar, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/,
                       YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/) override {
    open(mark, YamlTree::Kind::kSequence);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    open(mark, YamlTree::Kind::kMap);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  struct Open {
    std::vector<size_t> path;  // of places in the tree: a growing vector moves its nodes
    bool waits_for_value = false;
  };

  YamlTree& node(const std::vector<size_t>& path) {
    YamlTree* at = &root_;
    for (const size_t place : path) at = &at->items[place];
    return *at;
  }

  /// Where the next node goes; for the key of a map the text is all that is kept.
  std::vector<size_t> add(const YAML::Mark& mark, YamlTree::Kind kind, const std::string& text) {
    if (++count_ > kMostNodes)
      throw Refused{{fmt::format("it has more than {} values", kMostNodes), mark.line}};
    if (open_.empty()) {
      root_ = {kind, mark.line, text, {}, {}};
      return {};
    }
    Open& parent = open_.back();
    YamlTree& tree = node(parent.path);
    std::vector<size_t> path = parent.path;
    if (tree.kind == YamlTree::Kind::kMap && !parent.waits_for_value) {
      if (kind != YamlTree::Kind::kScalar && kind != YamlTree::Kind::kNull)
        throw Refused{{"a key is no text", mark.line}};
      tree.keys.push_back(text);
      parent.waits_for_value = true;
      return path;
    }
    parent.waits_for_value = false;
    tree.items.push_back({kind, mark.line, text, {}, {}});
    path.push_back(tree.items.size() - 1);
    return path;
  }

  void open(const YAML::Mark& mark, YamlTree::Kind kind) {
    if (open_.size() >= kDeepest)
      throw Refused{{fmt::format("it is more than {} levels deep", kDeepest), mark.line}};
    open_.push_back({add(mark, kind, ""), false});
  }

  YamlTree root_;
  std::vector<Open> open_;
  size_t count_ = 0;
};

/// YAML allows none but tabs and line ends; the parser takes 0 for its escape and 4 for the end.
bool has_control_byte(std::string_view text, YamlFault& fault) {
  const auto is_control = [](char c) {
    return (c >= 0 && c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 127;
  };
  const auto found = std::find_if(text.begin(), text.end(), is_control);
  if (found == text.end()) return false;
  fault = {fmt::format("it holds the control byte 0x{:02x}", static_cast<unsigned>(*found)),
           static_cast<int>(std::count(text.begin(), found, '\n'))};
  return true;
}

}  // namespace

bool read_yaml(std::string_view text, YamlTree& tree, YamlFault& fault) {
  if (text.size() > kMostBytes) {
    fault = {fmt::format("the front matter has {}; at most {} are read", human_bytes(text.size()),
                         human_bytes(kMostBytes)),
             -1};
    return false;
  }
  if (has_control_byte(text, fault)) return false;
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    Builder builder;
    if (parser.HandleNextDocument(builder)) tree = builder.take();
    return true;
  } catch (const Refused& refused) {
    fault = refused.fault;
    fault.is_refused = true;
  } catch (const YAML::ParserException& error) {
    fault = {error.msg == "bad file" ? "it is nested too deep" : error.msg, error.mark.line};
  } catch (const YAML::Exception& error) {
    fault = {error.msg, error.mark.line};
  }
  return false;
}

}  // namespace tessera::hub::internal
