#include "tessera/model/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tessera/base/text.h"
#include "tessera/data/png_file.h"
#include "tessera/io/file.h"
#include "tessera/model/internal/confusion_map.h"
#include "tessera/model/internal/page.h"

namespace tessera {
namespace {

using internal::card;
using internal::class_label;
using internal::fact;
using internal::html;

std::string seconds_text(double seconds) {
  return seconds < 1 ? fmt::format("{:.1f} ms", 1e3 * seconds) : fmt::format("{:.2f} s", seconds);
}

std::string head(const Report& report) {
  std::string out = internal::page_begin(report.model + " on " + report.data);
  out += fact("weights", html(report.weights));
  out += fact("transforms", fmt::format("<code>{}</code>", html(report.transforms)));
  if (report.ranks > 1) out += fact("ranks", std::to_string(report.ranks));
  return out + std::string(internal::kFactsEnd);
}

/// Many numbers side by side, four digits each.
std::string array_text(MetricResult metric) {
  for (double& value : metric.values) value = std::round(value * 1e4) / 1e4;
  return to_string(metric);
}

std::string metrics(const Report& report, const EvalReport& eval) {
  std::string out = "<section>\n<h2>Metrics</h2>\n<dl class=\"numbers\">\n";
  std::string arrays;
  for (const MetricResult& metric : eval.metrics) {
    constexpr size_t kMostValues = 64;
    if (metric.is_number())
      out += card(
          metric.name, fmt::format("{:.6g}", metric.values.at(0)),
          metric.correct < 0 ? "" : fmt::format("{} of {} right", metric.correct, metric.samples));
    else if (metric.values.size() <= kMostValues)
      arrays += fact(html(metric.name), fmt::format("<code>{}</code>", html(array_text(metric))));
  }
  const double seconds = std::max(eval.seconds, 1e-9);
  out += card("rows", std::to_string(eval.rows),
              eval.bad.empty() ? "" : fmt::format("{} left out", eval.bad.size()));
  out += card("throughput", fmt::format("{:.0f} rows/s", static_cast<double>(eval.rows) / seconds),
              fmt::format("{:.2f} s, {:.1f} % of it waiting for rows", eval.seconds,
                          100 * eval.wait_seconds / seconds));
  out += card("loading", seconds_text(report.load_seconds));
  out += "</dl>\n";
  if (!arrays.empty()) out += "<dl class=\"facts\">\n" + arrays + "</dl>\n";
  for (const std::string& note : report.notes)
    out += fmt::format("<p class=\"faint\">{}</p>\n", html(note));
  return out + "</section>\n";
}

/// Pairs of different classes, those of most rows first.
std::string confused_pairs(const EvalRecord& record, std::span<const std::string> names) {
  constexpr size_t kMost = 20;
  std::vector<std::pair<std::pair<int64_t, int64_t>, int64_t>> pairs;
  for (const auto& entry : record.pairs())
    if (entry.first.first != entry.first.second) pairs.emplace_back(entry);
  if (pairs.empty()) return "<p>Every row was taken for its class.</p>\n";
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  pairs.resize(std::min(pairs.size(), kMost));
  const auto counts = record.counts();
  std::string out =
      "<div class=\"scroll\"><table><caption>Classes taken for another most often</caption>\n"
      "<thead><tr><th scope=\"col\" class=\"name\">label</th><th scope=\"col\" class=\"name\">"
      "taken for</th><th scope=\"col\">rows</th><th scope=\"col\">of the label's</th></tr></thead>"
      "\n<tbody>";
  for (const auto& [pair, rows] : pairs)
    out += fmt::format(
        "<tr><td class=\"name\">{}</td><td class=\"name\">{}</td><td>{}</td><td>{:.1f} %</td></tr>"
        "\n",
        html(class_label(names, pair.first)), html(class_label(names, pair.second)), rows,
        100.0 * static_cast<double>(rows) /
            static_cast<double>(counts[static_cast<size_t>(pair.first)].rows));
  return out + "</tbody></table></div>\n";
}

/// A cell with a bar behind the number; a dash where there is nothing to divide by.
std::string share_cell(int64_t part, int64_t whole) {
  if (whole == 0) return "<td>–</td>";
  const double share = static_cast<double>(part) / static_cast<double>(whole);
  return fmt::format("<td class=\"bar\" style=\"--v:{:.3f}\">{:.4f}</td>", share, share);
}

std::string classes(const EvalRecord& record, std::span<const std::string> names) {
  constexpr int64_t kMostOpen = 100;
  const auto counts = record.counts();
  std::string out =
      "<div class=\"scroll\"><table><caption>Precision: of the rows taken for the class, those "
      "that "
      "are. Recall: of the class's rows, those taken for it.</caption>\n<thead><tr>"
      "<th scope=\"col\">number</th><th scope=\"col\" class=\"name\">class</th>"
      "<th scope=\"col\">rows</th><th scope=\"col\">predicted</th><th scope=\"col\">right</th>"
      "<th scope=\"col\">precision</th><th scope=\"col\">recall</th></tr></thead>\n<tbody>";
  for (size_t c = 0; c < counts.size(); ++c) {
    const ClassCounts& count = counts[c];
    out += fmt::format(
        "<tr><td>{}</td><th scope=\"row\" class=\"name\">{}</th><td>{}</td><td>{}</td><td>{}</td>"
        "{}{}</tr>\n",
        c, html(class_label(names, static_cast<int64_t>(c))), count.rows, count.predicted,
        count.correct, share_cell(count.correct, count.predicted),
        share_cell(count.correct, count.rows));
  }
  out += "</tbody></table></div>\n";
  if (record.class_count() <= kMostOpen) return out;
  return fmt::format("<details><summary>{} classes</summary>\n{}</details>\n", counts.size(), out);
}

/// The row's picture as an image of the page, or nothing where it is none.
std::string picture(const RowSource& source, int64_t row, std::string_view alt) {
  constexpr int64_t kMostSide = 284;
  constexpr int64_t kPixelated = 100;  // below this, pixels are shown as squares
  const Tensor pixels = source.row(row).data;
  const Shape& shape = pixels.shape();
  if (pixels.dtype() != DType::kU8 || shape.size() != 3 || (shape[2] != 1 && shape[2] != 3))
    return "";
  const bool small = std::max(shape[0], shape[1]) < kPixelated;
  return fmt::format("<img{} src=\"{}\" alt=\"{}\">", small ? " class=\"small\"" : "",
                     png_uri(shrink(pixels, kMostSide)), html(alt));
}

std::string mistakes(const EvalRecord& record, const RowSource& source,
                     std::span<const std::string> names) {
  if (record.mistakes().empty()) return "";
  std::string out =
      "<section>\n<h2>The surest mistakes</h2>\n<p class=\"faint\">Rows taken for a wrong class, "
      "those with the highest probability first; pictures as they are before any transform.</p>\n"
      "<ul class=\"mistakes\">\n";
  for (const Mistake& mistake : record.mistakes()) {
    const std::string row = source.row_name(mistake.row);
    const std::string label = class_label(names, mistake.label);
    const std::string predicted = class_label(names, mistake.predicted);
    out += fmt::format(
        "<li><figure>{}<figcaption><span class=\"was\">{}</span> <span "
        "class=\"share\">{:.2f} %</span><br>is {} <span class=\"share\">({:.2f} %)</span>"
        "<small>{}</small></figcaption></figure></li>\n",
        picture(source, mistake.row, fmt::format("{}, labelled {}", row, label)), html(predicted),
        100 * mistake.probability, html(label), 100 * mistake.label_probability,
        html(std::filesystem::path(row).filename().string()));
  }
  return out + "</ul>\n</section>\n";
}

std::string left_out(const EvalReport& eval, const RowSource& source) {
  if (eval.bad.empty()) return "";
  std::string out =
      "<section>\n<h2>Rows left out</h2>\n<div class=\"scroll\"><table><caption>They cannot be "
      "read, and are in no number above.</caption>\n<thead><tr><th scope=\"col\" class=\"name\">row"
      "</th><th scope=\"col\" class=\"name\">why</th></tr></thead>\n<tbody>";
  for (const BadRow& row : eval.bad)
    out += fmt::format("<tr><td class=\"name\">{}</td><td class=\"name\">{}</td></tr>\n",
                       html(source.row_name(row.index)), html(row.reason));
  return out + "</tbody></table></div>\n</section>\n";
}

}  // namespace

std::string report_page(const Report& report, const EvalReport& eval, const EvalRecord& record,
                        const RowSource& source) {
  const std::vector<std::string>& names = report.class_names;
  std::string page = head(report) + metrics(report, eval);
  page +=
      "<section>\n<h2>Confusion</h2>\n" + internal::confusion_map(record, names) + "</section>\n";
  page += "<section>\n<h2>Confused pairs</h2>\n" + confused_pairs(record, names) + "</section>\n";
  page += mistakes(record, source, names);
  page += "<section>\n<h2>Classes</h2>\n" + classes(record, names) + "</section>\n";
  page += left_out(eval, source);
  return page + std::string(internal::kPageEnd);
}

void write_report(const std::filesystem::path& path, const std::string& page) {
  AtomicFile out(local_file_system(), path);
  out.file().append(std::as_bytes(std::span(page.data(), page.size())));
  out.commit();
}

}  // namespace tessera
