/** The report's look: light and dark by the reader's setting, and a print without what only a screen needs. */
export const STYLE = `
:root { color-scheme: light dark; --ground: #fff; --panel: #f6f7f9; --text: #1b1f24; --soft: #5b6570; --line: #d9dee4; --good: #0b7a53; --warn: #9a6200; --bad: #b3261e; --accent: #1f5fbf; --outside: rgba(179, 38, 30, .07); }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --panel: #1d2126; --text: #e6e9ec; --soft: #9aa5b1; --line: #343b43; --good: #4cc38a; --warn: #e3a63a; --bad: #ff7b72; --accent: #79aefc; --outside: rgba(255, 123, 114, .09); } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { margin: 0; font-size: 30px; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 0 0 12px; font-size: 19px; }
h3 { margin: 18px 0 6px; font-size: 15px; }
p { margin: 6px 0; }
section { margin-top: 36px; }
code { font: 12.5px/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.columns code { overflow-wrap: break-word; }
.muted { color: var(--soft); font-size: 13px; margin: 2px 0; }
.verdict { margin: 18px 0; padding: 12px 16px; border-left: 4px solid; border-radius: 4px; background: var(--panel); }
.verdict b { font-size: 17px; }
.verdict.good { border-color: var(--good); } .verdict.good b, .verdict.good strong { color: var(--good); }
.verdict.warn { border-color: var(--warn); } .verdict.warn b, .verdict.warn strong { color: var(--warn); }
.verdict.bad { border-color: var(--bad); } .verdict.bad b, .verdict.bad strong { color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(235px, 1fr)); gap: 12px; }
.tile { background: var(--panel); border-radius: 6px; padding: 12px 16px; }
.tile h2 { margin: 0; font-size: 13px; font-weight: 600; color: var(--soft); }
.tile .figure { margin: 2px 0; font-size: 22px; font-weight: 650; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tile .before { font-size: 15px; font-weight: 400; color: var(--soft); }
.tile.doubtful .after { color: var(--soft); }
.notes ul { margin: 0; padding-left: 20px; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 16px; }
.plot { margin: 0; background: var(--panel); border-radius: 6px; padding: 12px; }
.plot figcaption { font-weight: 600; }
.plot svg { display: block; width: 100%; height: auto; }
.plot.empty { display: grid; place-items: center; color: var(--soft); }
.grid { stroke: var(--line); stroke-width: 1; }
.tick, .axis, .limit-text { fill: var(--soft); font-size: 11px; }
.axis { font-size: 12px; }
.limit { stroke: var(--bad); stroke-width: 1.2; stroke-dasharray: 5 4; }
.limit-text { fill: var(--bad); }
.outside { fill: var(--outside); }
.front { fill: none; stroke: var(--accent); stroke-width: 1.5; opacity: .55; }
.point { outline: none; }
.point[data-candidate] { cursor: pointer; }
.point .target { fill: transparent; }
.point.original rect { fill: var(--text); }
.point.holds circle:not(.target) { fill: var(--accent); }
.point.breaks path { stroke: var(--bad); stroke-width: 1.8; fill: none; }
.point.chosen path { fill: var(--good); stroke: var(--panel); stroke-width: .8; }
.point.pointed .target, .point:focus-visible .target { fill: none; stroke: var(--text); stroke-width: 1.5; }
.name { font-size: 12px; font-weight: 600; fill: var(--text); }
.name.chosen { fill: var(--good); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; align-items: center; }
.key { width: 18px; height: 18px; vertical-align: -4px; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(400px, 1fr)); gap: 8px 28px; align-items: start; }
.columns thead th { white-space: normal; vertical-align: bottom; }
.figures { display: inline-block; min-width: 62px; }
.tag.recipe { white-space: nowrap; }
.columns h3:first-child { margin-top: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { text-align: left; padding: 5px 8px; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 400; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th button { all: unset; cursor: pointer; }
th button:hover, th button:focus-visible { color: var(--text); text-decoration: underline; }
th[aria-sort=ascending] button::after { content: ' ↑'; }
th[aria-sort=descending] button::after { content: ' ↓'; }
td ul { margin: 2px 0; padding-left: 16px; text-align: left; white-space: nowrap; }
summary { cursor: pointer; }
.block { margin-top: 12px; }
.operator { font-weight: 600; }
.tag { display: inline-block; padding: 0 7px; border-radius: 9px; border: 1px solid var(--line); background: var(--panel); font-size: 12px; }
.tag.good { border-color: var(--good); color: var(--good); }
.tag.bad { border-color: var(--bad); color: var(--bad); }
.tag.fp32 { border-color: #8a939d; } .tag.fp16-storage { border-color: #2a9d8f; } .tag.int8-weight-only { border-color: #3f7fd6; } .tag.int8-embedding { border-color: #7a6ad8; } .tag.int8-dynamic { border-color: #d9822b; } .tag.int8-static { border-color: #c2447a; } .tag.matmul-nbits { border-color: #6f8f1f; }
rect.fp32 { fill: #8a939d; } rect.fp16-storage { fill: #2a9d8f; } rect.int8-weight-only { fill: #3f7fd6; } rect.int8-embedding { fill: #7a6ad8; } rect.int8-dynamic { fill: #d9822b; } rect.int8-static { fill: #c2447a; } rect.matmul-nbits { fill: #6f8f1f; }
.bar { width: 40px; height: 8px; vertical-align: 0; background: var(--line); border-radius: 2px; }
.bar rect { fill: var(--accent); }
.share { display: grid; grid-template-columns: 56px 1fr; gap: 8px; align-items: center; font-size: 13px; color: var(--soft); margin: 3px 0; }
.share svg { width: 100%; height: 18px; background: var(--panel); border-radius: 3px; }
.tools { display: flex; gap: 12px; align-items: center; font-size: 13px; margin-top: 14px; }
input { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: 4px; padding: 3px 8px; width: 220px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; margin: 0; font-size: 13px; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
#tip { position: absolute; z-index: 2; max-width: 320px; padding: 6px 10px; border-radius: 5px; background: var(--text); color: var(--ground); font-size: 12.5px; white-space: pre-line; pointer-events: none; }
@media (max-width: 560px) { .columns, .plots { grid-template-columns: 1fr; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 8px; } }
@media print {
  :root { --ground: #fff; --panel: #fff; --text: #000; --soft: #444; --line: #bbb; --good: #0b6b49; --warn: #7a4e00; --bad: #9c1f18; --accent: #1a4f9f; --outside: rgba(179, 38, 30, .06); }
  body, .muted, table, .legend, dl { font-size: 10px; } h1 { font-size: 22px; } h2 { font-size: 14px; } main { max-width: none; padding: 0; }
  .tools, #tip { display: none; }
  .tile, .plot { border: 1px solid var(--line); }
  .plots { grid-template-columns: 1fr 1fr; } .tiles { grid-template-columns: repeat(4, 1fr); } .tile .figure { font-size: 15px; white-space: normal; } .tile .before { font-size: 11px; }
  section { margin-top: 18px; break-inside: auto; } figure, .tile, .verdict, tr { break-inside: avoid; }
  thead { display: table-header-group; } .scroll { overflow: visible; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
