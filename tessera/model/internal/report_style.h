// The style of the page about an evaluation.
#pragma once

#include <string_view>

namespace tessera::internal {

inline constexpr std::string_view kReportStyle = R"css(
:root { color-scheme: light dark; --ground: #fbfbfa; --card: #ffffff; --ink: #1d2126; --faint: #5e6772;
  --line: #dfe2e6; --hit: 37, 120, 180; --miss: 208, 84, 30; }
@media (prefers-color-scheme: dark) { :root { --ground: #15181c; --card: #1d2126; --ink: #e8eaed;
  --faint: #a3abb5; --line: #343a42; --hit: 92, 170, 230; --miss: 240, 128, 76; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 24px 64px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 40px 0 12px; }
p { margin: 0 0 12px; max-width: 75ch; }
.faint, figcaption small, dt { color: var(--faint); }
code { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
dl.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 16px; margin: 12px 0 0; }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
dl.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 12px; margin: 0; }
dl.numbers > div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px 16px; }
dl.numbers dt { font-size: 13px; }
dl.numbers dd { margin: 0; font-size: 24px; font-variant-numeric: tabular-nums; }
dl.numbers dd small { display: block; font-size: 13px; color: var(--faint); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 8px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
caption { text-align: left; color: var(--faint); padding: 4px 8px 8px; }
th, td { padding: 4px 10px; text-align: right; font-weight: 400; white-space: nowrap; }
th { color: var(--faint); }
thead th { border-bottom: 1px solid var(--line); vertical-align: bottom; }
th.name, td.name { text-align: left; color: var(--ink); }
td.bar { background: linear-gradient(rgba(var(--hit), .22), rgba(var(--hit), .22)) no-repeat left center;
  background-size: calc(100% * var(--v)) 70%; min-width: 92px; }
table.heat td { min-width: 52px; border: 1px solid var(--card); }
table.heat td.hit { background: rgba(var(--hit), var(--v)); }
table.heat td.miss { background: rgba(var(--miss), var(--v)); }
table.heat td.none { color: var(--faint); opacity: .5; }
svg.heat { display: block; max-width: 100%; height: auto; }
svg.heat text { fill: var(--faint); font: 8px system-ui, sans-serif; }
svg.heat text.axis { font-size: 12px; fill: var(--ink); }
svg.heat .frame { fill: none; stroke: var(--line); }
svg.heat .hit { fill: rgb(var(--hit)); }
svg.heat .miss { fill: rgb(var(--miss)); }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(164px, 1fr)); gap: 14px; margin: 0;
  padding: 0; list-style: none; }
.mistakes figure { margin: 0; height: 100%; background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 10px; }
.mistakes img { display: block; width: 100%; height: 142px; object-fit: contain; border-radius: 4px; }
.mistakes img.small { image-rendering: pixelated; }
.mistakes figcaption { margin-top: 8px; overflow-wrap: anywhere; line-height: 1.4; }
.mistakes figcaption small { display: block; font-size: 12px; }
.mistakes .was { color: rgb(var(--miss)); }
.mistakes .share { white-space: nowrap; }
details { margin: 12px 0; }
summary { cursor: pointer; color: var(--faint); margin-bottom: 8px; }
)css";

}  // namespace tessera::internal
