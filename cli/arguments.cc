#include "cli/arguments.h"

#include "cli/program.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include <CLI/CLI.hpp>
#pragma GCC diagnostic pop

#include <algorithm>
#include <set>

#include "cli/word.h"
#include "tessera/base/text.h"

namespace tessera::cli {

void Arguments::positional(const std::string& name, std::string& value, const std::string& doc) {
  app_.add_option(name, value, doc)->required();
}

void Arguments::positionals(const std::string& name, std::vector<std::string>& values,
                            const std::string& doc, bool required) {
  app_.add_option(name, values, doc)->required(required);
}

void Arguments::option(const std::string& name, std::string& value, const std::string& doc,
                       bool required) {
  CLI::Option* option = app_.add_option(name, value, doc)->group(group_)->required(required);
  if (!value.empty()) option->default_str(value);
}

void Arguments::option(const std::string& name, int64_t& value, const std::string& doc) {
  app_.add_option(name, value, doc)->group(group_)->capture_default_str();
}

void Arguments::options(const std::string& name, std::vector<std::string>& values,
                        const std::string& doc) {
  // One value per mention: a following argument by place must not be taken for a second value.
  app_.add_option(name, values, doc)->group(group_)->allow_extra_args(false);
}

void Arguments::flag(const std::string& name, bool& value, const std::string& doc) {
  app_.add_flag(name, value, doc)->group(group_);
}

void Arguments::word(const std::string& name, const std::string& doc, std::function<void()>& chosen,
                     const std::function<std::function<void()>(Arguments&)>& declare) {
  CLI::App* sub = app_.add_subcommand(name, doc);
  Arguments arguments(*sub);
  sub->callback([&chosen, run = declare(arguments)] { chosen = run; });
  app_.require_subcommand(1);
}

void Arguments::group(const std::string& heading) {
  group_ = heading;
}

namespace {

std::string examples_text(const Word& word) {
  std::string text = "Examples:\n";
  for (const std::string_view example : word.examples) text += "  " + std::string(example) + "\n";
  return text;
}

const Word* find_word(std::string_view name) {
  for (const Word& word : all_words())
    if (word.name == name) return &word;
  return nullptr;
}

void require_word(std::string_view name) {
  std::vector<std::string> names;
  for (const Word& word : all_words()) names.emplace_back(word.name);
  require_usage(find_word(name) != nullptr, "there is no word '{}'{}; there are: {}",
                printable(name), suggest(name, names), join(names, ", "));
}

/// Throws UsageError where `text` stands for a word below `sub` and is none.
void require_word_below(const CLI::App& sub, std::string_view text) {
  std::vector<std::string> names;
  for (const CLI::App* below : sub.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(below->get_name());
  require_usage(names.empty() || std::find(names.begin(), names.end(), text) != names.end(),
                "{} has no word '{}'{}; there are: {}", sub.get_name(), printable(text),
                suggest(text, names), join(names, ", "));
}

/// What the parser found, with the nearest options of the word where it names unknown ones.
std::string explain_usage(const std::string& what, std::string_view word_name) {
  const Word* word = find_word(word_name);
  std::string text = what;
  if (word == nullptr) return text + "; see tessera --help";
  std::vector<std::string> names;
  for (const OptionName& option : option_names(*word)) names.push_back(option.name);
  for (std::string_view part : split(what, ' ')) {
    if (part.ends_with(':')) part.remove_suffix(1);  // "--limit: At Most 1 required"
    if (part.starts_with("--") && std::find(names.begin(), names.end(), part) == names.end())
      text += suggest(part, names);
  }
  return fmt::format("{}; see tessera {} --help", text, word_name);
}

}  // namespace

int parse_and_run(int argc, const char* const* argv, std::string_view version) {
  CLI::App app("Runs Ascend- and MindSpore-trained checkpoints on the hardware you have.",
               "tessera");
  app.set_version_flag("--version", std::string(version));
  app.require_subcommand(1);
  app.footer("'tessera WORD --help' shows a word's options and examples.");
  app.get_formatter()->column_width(34);
  std::function<void()> chosen;
  for (const Word& word : all_words()) {
    CLI::App* sub = app.add_subcommand(std::string(word.name), std::string(word.doc));
    sub->footer(examples_text(word));
    Arguments arguments(*sub);
    sub->callback([&chosen, run = word.declare(arguments)] { chosen = run; });
  }
  if (argc > 1 && argv[1][0] != '-') require_word(argv[1]);
  if (argc > 1 && argv[1][0] != '-' && (argc == 2 || argv[2][0] != '-'))
    require_word_below(*app.get_subcommand(argv[1]), argc == 2 ? "" : argv[2]);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // help, version
    throw UsageError(explain_usage(error.what(), argc > 1 ? argv[1] : ""));
  }
  chosen();
  return kExitOk;
}

std::vector<OptionName> option_names(const Word& word) {
  CLI::App app;
  Arguments arguments(app);
  word.declare(arguments);
  std::vector<OptionName> names;
  std::set<std::string> known;  // words below this one have options in common
  const auto add = [&](const CLI::App& of) {
    for (const CLI::Option* option : of.get_options())
      for (const std::string& name : option->get_lnames())
        if (known.insert(name).second)
          names.push_back({"--" + name, option->get_description(), option->get_expected_min() > 0});
  };
  add(app);
  for (const CLI::App* below : app.get_subcommands([](const CLI::App*) { return true; }))
    add(*below);
  return names;
}

}  // namespace tessera::cli
