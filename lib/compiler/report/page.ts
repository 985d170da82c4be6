/** `report.html`: one page that needs nothing else, for the person who must say whether the smaller model may ship. */
import { createHash } from 'node:crypto';
import { formatBytes } from '../../artifact/units.js';
import type { Timing } from '../quantize/search/search-result.js';
import { budgetText, formatChange, formatMetric, formatMilliseconds, formatNumber, formatRatio } from './figures.js';
import { type Content, html, Markup } from './markup.js';
import { paretoPlot } from './pareto-plot.js';
import type { OptimizationReport } from './report.js';
import { SCRIPT } from './script.js';
import { STYLE } from './style.js';
import { candidateTable, dataTable, groupTable, nodeTable, refusalTable } from './tables.js';

/** The page may run its own script and nothing else, and reaches nothing. */
const POLICY = [
  "default-src 'none'",
  `style-src '${digest(STYLE)}'`,
  `script-src '${digest(SCRIPT)}'`,
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

export function reportPage(report: OptimizationReport): string {
  const { model } = report;
  // The verdict has said it.
  const notes = report.notes.filter((note) => !note.includes(report.certificate.reason));
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${model}: ${VERDICTS[report.outcome].title}</title>
<style>${Markup.trusted(STYLE)}</style>
</head>
<body>
<main>
${headline(report)}
${notes.length === 0 ? undefined : html`<section class="notes"><h2>To know</h2><ul>${notes.map((note) => html`<li>${sentence(note)}</li>`)}</ul></section>`}
<section><h2>What was tried</h2>
${
  report.candidates.length === 0
    ? html`<p class="muted">No candidate was checked as a whole.</p>`
    : html`${paretoPlot(report)}
<details class="block"><summary>All ${report.candidates.length} candidates</summary>${candidateTable(report)}</details>`
}
</section>
${accuracy(report)}
${nodes(report)}
${report.refused.length === 0 ? undefined : html`<section><h2>Refused, and why</h2>${refusalTable(report)}</section>`}
${provenance(report)}
</main>
<div id="tip" role="status" hidden></div>
<script>${Markup.trusted(SCRIPT)}</script>
</body>
</html>
`;
  return page.toString();
}

const VERDICTS: Readonly<
  Record<OptimizationReport['outcome'], { readonly title: string; readonly tone: string; readonly mark: string }>
> = {
  held: { title: 'the budget holds, certified', tone: 'good', mark: '✓' },
  'not-certified': { title: 'the budget holds, not certified', tone: 'warn', mark: '!' },
  'not-held': { title: 'the budget does not hold', tone: 'bad', mark: '✗' },
};

function headline(report: OptimizationReport): Markup {
  const { model, source, goal, certificate, outcome, artifacts, kind } = report;
  const { title, tone, mark } = VERDICTS[outcome];
  const made = artifacts.map(({ architecture }) => architecture).join(' and ');
  const what = { search: 'Search', revalidation: 'Revalidation', recipe: 'One recipe', pruning: 'Pruning' }[kind];
  return html`<header>
<p class="muted">${what} of ${report.date}, goal ${goal}${made === '' ? '' : `, for ${made}`}</p>
<h1>${model}</h1>
<p class="muted"><code>${source}</code></p>
<p class="verdict ${tone}"><b aria-hidden="true">${mark}</b> <strong>${sentence(title)}.</strong> ${sentence(budgetText(certificate.budget))}. ${sentence(certificate.reason).replace(/\.?$/, '.')}</p>
${report.breaking.length === 0 ? undefined : html`<p class="breaking">What broke it most: ${report.breaking.slice(0, 8).map((name) => html`<code>${name}</code> `)}${report.breaking.length > 8 ? `and ${report.breaking.length - 8} more.` : ''}</p>`}
<div class="tiles">${tiles(report)}</div>
</header>`;
}

function tiles(report: OptimizationReport): Content {
  const { bytes, certificate, latency } = report;
  const { unit, budget } = certificate;
  const size = tile('Size', formatBytes(bytes.original), formatBytes(bytes.chosen), [
    `${formatRatio(bytes.chosen, bytes.original)}, ${formatChange(bytes.chosen, bytes.original)}`,
  ]);
  const metric = tile(
    `${sentence(budget.metric)} on the holdout`,
    formatMetric(certificate.original, unit),
    formatMetric(certificate.value, unit),
    [`${certificate.samples} samples`],
  );
  const measured = latency.kind === 'measured' ? latency : latency.here;
  const place =
    latency.kind === 'measured'
      ? [latency.cpu]
      : [`not measured: ${latency.reason}`, ...(latency.here === undefined ? [] : [`here: ${latency.here.cpu}`])];
  const time = (title: string, of: (timing: Timing) => number) => {
    if (measured === undefined) return tile(title, undefined, 'not measured', place);
    const [before, after] = [of(measured.original), of(measured.chosen)];
    const isElsewhere = latency.kind !== 'measured';
    return tile(
      title,
      formatMilliseconds(before),
      formatMilliseconds(after),
      [`${formatRatio(after, before)}, ${formatChange(after, before)}`, ...place],
      isElsewhere,
    );
  };
  return [
    size,
    metric,
    time('One run, one thread', ({ run }) => run),
    time('Cold: open and first run', ({ open, firstRun }) => open + firstRun),
  ];
}

function tile(
  title: string,
  before: string | undefined,
  after: string,
  lines: readonly string[],
  isDoubtful = false,
): Markup {
  const from = before === undefined ? undefined : html`<span class="before">${before} → </span>`;
  return html`<div class="tile${isDoubtful ? ' doubtful' : ''}"><h2>${title}</h2><p class="figure">${from}<span class="after">${after}</span></p>${lines.map((line) => html`<p class="muted">${line}</p>`)}</div>`;
}

function accuracy(report: OptimizationReport): Markup {
  const { certificate, evaluation } = report;
  const rows: readonly (readonly [string, (of: typeof certificate) => Content])[] = [
    ['Samples', ({ samples }) => samples],
    ['fp32', ({ original, unit }) => formatMetric(original, unit)],
    ['Chosen', ({ value, unit }) => formatMetric(value, unit)],
    ['Loss', ({ loss }) => formatNumber(loss)],
    ['Loss at most, with the confidence below', ({ lossBound }) => formatNumber(lossBound)],
    ['Loss that the budget allows', ({ allowedLoss }) => formatNumber(allowedLoss)],
    ['Confidence, one-sided', ({ confidence }) => `${formatNumber(confidence * 100)} %`],
    ['Method', ({ method }) => method],
    ['Samples that it would take', ({ samplesNeeded }) => samplesNeeded ?? '–'],
    ['Verdict', ({ status }) => status],
  ];
  return html`<section><h2>Accuracy, budget and bound</h2>
<div class="columns"><div class="scroll"><table><thead><tr><th scope="col">${budgetText(certificate.budget)}</th><th scope="col" class="number">Holdout, read once</th><th scope="col" class="number">Evaluation, chosen by</th></tr></thead><tbody>
${rows.map(([title, of]) => html`<tr><th scope="row">${title}</th><td class="number">${of(certificate)}</td><td class="number">${of(evaluation)}</td></tr>`)}
</tbody></table></div>
<div><h3>Data</h3>${dataTable(report)}
${report.groups.length === 0 ? undefined : html`<h3>The holdout by source</h3>${groupTable(report)}`}</div></div>
</section>`;
}

function nodes(report: OptimizationReport): Markup {
  if (report.nodes.length === 0) return html``;
  return html`<section><h2>Node by node</h2>
${schemeBars(report)}
<p class="tools"><label>Show nodes with <input id="filter" type="search" placeholder="Conv, fp32, a name …" autocomplete="off"></label> <span id="shown" class="muted">${report.nodes.length} nodes</span></p>
${nodeTable(report)}
</section>`;
}

/** Where the bytes of the weights went, scheme by scheme. */
function schemeBars({ nodes: all }: OptimizationReport): Markup {
  const total = all.reduce((sum, { bytes }) => sum + bytes.original, 0);
  const schemes = new Map<string, { nodes: number; original: number; chosen: number }>();
  for (const { recipe, bytes } of all) {
    const entry = schemes.get(recipe.scheme) ?? { nodes: 0, original: 0, chosen: 0 };
    entry.nodes += 1;
    entry.original += bytes.original;
    entry.chosen += bytes.chosen;
    schemes.set(recipe.scheme, entry);
  }
  if (total === 0) return html``;
  const sorted = [...schemes].sort(([, a], [, b]) => b.original - a.original);
  const row = (title: string, of: (entry: { original: number; chosen: number }) => number) => {
    let at = 0;
    const parts = sorted.map(([scheme, entry]) => {
      const width = (of(entry) / total) * 1000;
      const part = html`<rect class="${scheme}" x="${at.toFixed(1)}" width="${width.toFixed(1)}" height="18"><title>${scheme}: ${formatBytes(of(entry))}</title></rect>`;
      at += width;
      return part;
    });
    return html`<p class="share"><span>${title}</span><svg viewBox="0 0 1000 18" preserveAspectRatio="none" role="img" aria-label="Weights ${title}">${parts}</svg></p>`;
  };
  return html`<div class="shares">${row('before', ({ original }) => original)}${row('after', ({ chosen }) => chosen)}
<p class="legend">${sorted.map(([scheme, entry]) => html`<span><span class="tag ${scheme}">${scheme}</span> ${entry.nodes} nodes, ${formatBytes(entry.original)} → ${formatBytes(entry.chosen)}</span>`)}</p></div>`;
}

function provenance(report: OptimizationReport): Markup {
  const { effort, session, artifacts, tool, onnxruntime } = report;
  const facts: readonly (readonly [string, Content])[] = [
    ['cdk-onnx, onnxruntime', `${tool}, ${onnxruntime}`],
    ['Session settings', html`<code>${JSON.stringify(session)}</code>`],
    ...artifacts.map(({ architecture, contentHash, bytes }): readonly [string, Content] => [
      `Artifact for ${architecture}`,
      html`<code title="${contentHash}">${contentHash.slice(0, 12)}</code>, ${formatBytes(bytes)}`,
    ]),
    [
      'Effort',
      `${effort.evaluations} evaluations of ${effort.samples} samples in ${formatNumber(effort.seconds)} s${effort.resumed > 0 ? `; ${effort.resumed} steps came from an interrupted search` : ''}`,
    ],
  ];
  return html`<section><h2>How it was made</h2><dl>${facts.map(([title, value]) => html`<dt>${title}</dt><dd>${value}</dd>`)}</dl></section>`;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function digest(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
