#include "cli/arguments.h"

#include "cli/program.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include <CLI/CLI.hpp>
#pragma GCC diagnostic pop

#include "cli/word.h"

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

void Arguments::group(const std::string& heading) {
  group_ = heading;
}

namespace {

std::string examples_text(const Word& word) {
  std::string text = "Examples:\n";
  for (const std::string_view example : word.examples) text += "  " + std::string(example) + "\n";
  return text;
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
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? kExitOk : kExitUsage;
  }
  chosen();
  return kExitOk;
}

std::vector<OptionName> option_names(const Word& word) {
  CLI::App app;
  Arguments arguments(app);
  word.declare(arguments);
  std::vector<OptionName> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames())
      names.push_back({"--" + name, option->get_description(), option->get_expected_min() > 0});
  return names;
}

}  // namespace tessera::cli
