// What the pages about runs are made of: HTML in one file, without links, scripts or fonts from
// elsewhere.
#pragma once

#include <string>
#include <string_view>

namespace tessera::internal {

/// `text` as HTML shows it, also within an attribute's quotes.
std::string html(std::string_view text);
/// A name and its value, which is HTML, in a <dl class="facts">.
std::string fact(std::string_view name, const std::string& value);
/// A number with its name, and a note below, in a <dl class="numbers">.
std::string card(std::string_view name, std::string_view value, std::string_view note = "");
/// Everything up to the facts below the title, which is text; page_end closes what this opens.
std::string page_begin(std::string_view title);
inline constexpr std::string_view kFactsEnd = "</dl>\n</header>\n";
inline constexpr std::string_view kPageEnd = "</main>\n</body>\n</html>\n";

}  // namespace tessera::internal
