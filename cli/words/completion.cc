#include <fmt/format.h>

#include "cli/program.h"
#include "cli/word.h"
#include "tessera/base/error.h"

namespace tessera::cli {
namespace {

std::string bash_script() {
  std::string words, cases;
  for (const Word& word : all_words()) {
    words += fmt::format("{}{}", words.empty() ? "" : " ", word.name);
    std::string names;
    for (const OptionName& option : option_names(word)) names += option.name + " ";
    cases += fmt::format("    {}) options=\"{}\" ;;\n", word.name, names);
  }
  return fmt::format(R"(_tessera() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} options=
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "{} --help --version" -- "$current"))
    return
  fi
  case ${{COMP_WORDS[1]}} in
{}  esac
  if [[ $current == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$current"))
  else COMPREPLY=($(compgen -f -- "$current")); fi
}}
complete -o filenames -F _tessera tessera
)",
                     words, cases);
}

/// Single quotes end a quoted word in both shells.
std::string quoted(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out;
}

std::string zsh_script() {
  std::string words, cases;
  for (const Word& word : all_words()) {
    words += fmt::format("    '{}:{}'\n", word.name, quoted(word.doc));
    std::string options;
    for (const OptionName& option : option_names(word))
      options += fmt::format(" '{}'", option.name + (option.takes_value ? "=" : ""));
    cases += fmt::format("    {}) compadd --{} ; _files ;;\n", word.name, options);
  }
  return fmt::format(R"(#compdef tessera
_tessera() {{
  local -a known=(
{}  )
  if ((CURRENT == 2)); then
    _describe word known
    return
  fi
  case $words[2] in
{}  esac
}}
compdef _tessera tessera
)",
                     words, cases);
}

std::string fish_script() {
  std::string text;
  for (const Word& word : all_words()) {
    text += fmt::format("complete -c tessera -n __fish_use_subcommand -f -a {} -d '{}'\n",
                        word.name, quoted(word.doc));
    for (const OptionName& option : option_names(word))
      text += fmt::format(
          "complete -c tessera -n '__fish_seen_subcommand_from {}' -l {}{} -d '{}'\n", word.name,
          option.name.substr(2), option.takes_value ? " -r" : "", quoted(option.doc));
  }
  return text;
}

void print_script(const std::string& shell) {
  require_usage(shell == "bash" || shell == "zsh" || shell == "fish",
                "there is no completion for '{}'; there is for bash, zsh and fish", shell);
  fmt::print("{}", shell == "bash" ? bash_script() : shell == "zsh" ? zsh_script() : fish_script());
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(completion) {
  using namespace tessera::cli;
  return {
      .doc = "print a script that completes words and options in bash, zsh or fish",
      .examples = {"source <(tessera completion bash)",
                   "tessera completion fish > ~/.config/fish/completions/tessera.fish"},
      .declare =
          [](Arguments& arguments) {
            const auto shell = std::make_shared<std::string>();
            arguments.positional("shell", *shell, "bash, zsh or fish");
            return [shell] { print_script(*shell); };
          },
  };
}
