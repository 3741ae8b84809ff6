// What a word of the command line takes. A thin face over CLI11, so that only arguments.cc pays for
// its headers. Every variable handed in must outlive the parsing and holds the default before it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace tessera::cli {

class Arguments {
 public:
  explicit Arguments(CLI::App& app) : app_(app) {}

  /// An argument by place, shown in help as NAME.
  void positional(const std::string& name, std::string& value, const std::string& doc);
  /// One or more (or, if not required, any number of) arguments by place.
  void positionals(const std::string& name, std::vector<std::string>& values,
                   const std::string& doc, bool required = true);
  /// "--batch" with a value.
  void option(const std::string& name, std::string& value, const std::string& doc,
              bool required = false);
  void option(const std::string& name, int64_t& value, const std::string& doc);
  /// An option that may be given several times.
  void options(const std::string& name, std::vector<std::string>& values, const std::string& doc);
  void flag(const std::string& name, bool& value, const std::string& doc);
  /// A word below this one, as in "tessera hub list". What the one that is given returns when it is
  /// declared comes into `chosen`; one of them must be given.
  void word(const std::string& name, const std::string& doc, std::function<void()>& chosen,
            const std::function<std::function<void()>(Arguments&)>& declare);
  /// Options declared from here on stand under this heading in --help.
  void group(const std::string& heading);

 private:
  CLI::App& app_;
  std::string group_ = "Options";
};

}  // namespace tessera::cli
