/** Size against accuracy, and latency against accuracy, with a point for every candidate that was checked as a whole. Inline SVG. */
import { formatBytes } from '../../artifact/units.js';
import type { CandidateResult, LatencyResult, Timing } from '../quantize/search/search-result.js';
import {
  formatMetric,
  formatMilliseconds,
  formatNumber,
  isLowerBetter,
  limitOf,
  ticks,
  unitSuffix,
} from './figures.js';
import { html, type Markup } from './markup.js';
import type { OptimizationReport } from './report.js';

const WIDTH = 480;
const HEIGHT = 320;
const MARGIN = { left: 58, right: 18, top: 26, bottom: 44 } as const;
/** How far below the budget's line the plot goes, in terms of what lies above it: what is worse stands at the edge. */
const DEPTH = 1.5;

interface Point {
  readonly index: number;
  readonly kind: 'original' | 'chosen' | 'holds' | 'breaks';
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

interface Axis {
  readonly least: number;
  readonly greatest: number;
}

export function paretoPlot(report: OptimizationReport): Markup {
  const { candidates, certificate, evaluation, bytes, latency } = report;
  const limit = limitOf(certificate.budget, evaluation.original);
  const y = metricAxis(candidates, evaluation.original, limit, isLowerBetter(certificate.budget.metric));
  const unit = certificate.unit;
  const title = `${certificate.budget.metric}${unitSuffix(unit)}`;
  const common = { y, limit, title, isUpsideDown: isLowerBetter(certificate.budget.metric) };
  const text = (candidate: CandidateResult) => describe(candidate, unit);
  const original = { index: -1, kind: 'original' as const, name: 'fp32', y: evaluation.original };
  const originalTiming = timingOf(latency);
  const sizes: Point[] = [
    { ...original, x: bytes.original, text: `fp32: ${formatBytes(bytes.original)}` },
    ...candidates.map((candidate, index) => point(candidate, index, candidate.bytes, text(candidate))),
  ];
  const times: Point[] = [
    ...(originalTiming === undefined
      ? []
      : [{ ...original, x: originalTiming.run, text: `fp32: ${formatMilliseconds(originalTiming.run)}` }]),
    ...candidates.flatMap((candidate, index) =>
      candidate.timing === undefined ? [] : [point(candidate, index, candidate.timing.run, text(candidate))],
    ),
  ];
  return html`<div class="plots">
    ${panel({ ...common, label: 'Size and accuracy', axis: 'size', points: sizes, format: formatBytes })}
    ${
      times.length > 1
        ? panel({
            ...common,
            label: 'Latency and accuracy',
            axis: latencyAxis(latency),
            points: times,
            format: formatMilliseconds,
          })
        : html`<div class="plot empty"><p>No candidate was timed: latencies are not measured.</p></div>`
    }
  </div>
  <p class="legend">${legend()}</p>`;
}

function point(candidate: CandidateResult, index: number, x: number, text: string): Point {
  const kind = candidate.chosen ? 'chosen' : candidate.holds ? 'holds' : 'breaks';
  return { index, kind, name: candidate.name, x, y: candidate.value, text };
}

function describe(candidate: CandidateResult, unit: string): string {
  const { name, value, bytes, timing, holds } = candidate;
  return [
    name,
    formatMetric(value, unit) + (holds ? '' : ' (breaks the budget)'),
    formatBytes(bytes),
    ...(timing === undefined ? [] : [`${formatMilliseconds(timing.run)} a run`]),
  ].join('\n');
}

export function timingOf(latency: LatencyResult): Timing | undefined {
  return latency.kind === 'measured' ? latency.original : latency.here?.original;
}

function latencyAxis(latency: LatencyResult): string {
  return latency.kind === 'measured' ? 'one run' : 'one run, on another CPU than the target’s';
}

/** The part of the metric's values in which decisions were made. */
function metricAxis(
  candidates: readonly CandidateResult[],
  original: number,
  limit: number | undefined,
  isUpsideDown: boolean,
): Axis {
  const finite = [original, ...candidates.map(({ value }) => value)].filter(Number.isFinite);
  const within = candidates.filter(({ holds }) => holds).map(({ value }) => value);
  const around = [original, ...(limit === undefined ? [] : [limit]), ...within].filter(Number.isFinite);
  const values = around.length > 1 ? around : finite;
  let least = Math.min(...values);
  let greatest = Math.max(...values);
  const room = (greatest - least || Math.abs(greatest) || 1) * DEPTH;
  // Towards what is worse, as far as there are points.
  if (isUpsideDown) greatest = Math.min(Math.max(greatest, ...finite), greatest + room);
  else least = Math.max(Math.min(least, ...finite), least - room);
  const padding = (greatest - least || Math.abs(greatest) || 1) * 0.08;
  return { least: least - padding, greatest: greatest + padding };
}

interface PanelOptions {
  readonly label: string;
  readonly axis: string;
  readonly title: string;
  readonly points: readonly Point[];
  readonly y: Axis;
  readonly limit: number | undefined;
  /** Smaller values are better, and stand above. */
  readonly isUpsideDown: boolean;
  readonly format: (x: number) => string;
}

function panel(options: PanelOptions): Markup {
  const { label, axis, title, points, y, limit, isUpsideDown, format } = options;
  const greatestX = Math.max(...points.map(({ x }) => x)) * 1.06 || 1;
  const placeX = (x: number) => MARGIN.left + (x / greatestX) * (WIDTH - MARGIN.left - MARGIN.right);
  const placeY = (value: number) => {
    const share = (value - y.least) / (y.greatest - y.least);
    const up = Math.min(1, Math.max(0, isUpsideDown ? 1 - share : share));
    return HEIGHT - MARGIN.bottom - (Number.isNaN(up) ? 0 : up) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  };
  const bottom = HEIGHT - MARGIN.bottom;
  const right = WIDTH - MARGIN.right;
  const order = ['breaks', 'holds', 'original', 'chosen'];
  const drawn = [...points].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  return html`<figure class="plot"><figcaption>${label}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}: ${points.length} points">
${limit === undefined ? undefined : budgetArea(placeY(limit), bottom, right)}
${ticks(0, greatestX, 5).map(
  (tick) => html`<line class="grid" x1="${placeX(tick)}" x2="${placeX(tick)}" y1="${MARGIN.top}" y2="${bottom}"/>
<text class="tick" x="${placeX(tick)}" y="${bottom + 16}" text-anchor="middle">${format(tick)}</text>`,
)}
${ticks(y.least, y.greatest, 5).map(
  (tick) => html`<line class="grid" x1="${MARGIN.left}" x2="${right}" y1="${placeY(tick)}" y2="${placeY(tick)}"/>
<text class="tick" x="${MARGIN.left - 8}" y="${placeY(tick) + 4}" text-anchor="end">${formatNumber(tick)}</text>`,
)}
<text class="axis" x="${right}" y="${HEIGHT - 8}" text-anchor="end">${axis} →</text>
<text class="axis" x="${MARGIN.left - 8}" y="14">↑ ${title}</text>
${front(points, placeX, placeY, isUpsideDown)}
${drawn.map((drawnPoint) => shape(drawnPoint, placeX(drawnPoint.x), placeY(drawnPoint.y)))}
${labels(points, placeX, placeY)}
</svg></figure>`;
}

function budgetArea(at: number, bottom: number, right: number): Markup {
  return html`<rect class="outside" x="${MARGIN.left}" y="${at}" width="${right - MARGIN.left}" height="${Math.max(0, bottom - at)}"/>
<line class="limit" x1="${MARGIN.left}" x2="${right}" y1="${at}" y2="${at}"/>
<text class="limit-text" x="${right - 4}" y="${at - 5 < MARGIN.top + 8 ? at + 13 : at - 5}" text-anchor="end">budget</text>`;
}

/** The candidates that no other beats in both: a staircase, smallest first. */
function front(
  points: readonly Point[],
  placeX: (x: number) => number,
  placeY: (y: number) => number,
  isUpsideDown: boolean,
): Markup | undefined {
  const better = (a: number, b: number) => (isUpsideDown ? a < b : a > b);
  const sorted = points.filter(({ y }) => !Number.isNaN(y)).sort((a, b) => a.x - b.x || (better(a.y, b.y) ? -1 : 1));
  const best: Point[] = [];
  for (const candidate of sorted) {
    const last = best.at(-1);
    if (last === undefined || better(candidate.y, last.y)) best.push(candidate);
  }
  if (best.length < 2) return undefined;
  const path = best.map(({ x, y }, index) =>
    index === 0 ? `M${round(placeX(x))} ${round(placeY(y))}` : `H${round(placeX(x))}V${round(placeY(y))}`,
  );
  return html`<path class="front" d="${path.join('')}"/>`;
}

function shape({ index, kind, text }: Point, x: number, y: number): Markup {
  const [cx, cy] = [round(x), round(y)];
  return html`<g class="point ${kind}" data-candidate="${index}" data-text="${text}" tabindex="0"><title>${text}</title><circle class="target" cx="${cx}" cy="${cy}" r="11"/>${symbol(kind, cx, cy)}</g>`;
}

/** Told apart by shape too, for print and for people who see colours otherwise. */
function symbol(kind: Point['kind'], x: number, y: number): Markup {
  switch (kind) {
    case 'original':
      return html`<rect x="${x - 5}" y="${y - 5}" width="10" height="10"/>`;
    case 'chosen':
      return html`<path d="M${x} ${y - 9}l2.6 6 6.4.6-4.8 4.3 1.4 6.3L${x} ${y + 5}l-5.6 3.2 1.4-6.3-4.8-4.3 6.4-.6z"/>`;
    case 'holds':
      return html`<circle cx="${x}" cy="${y}" r="5"/>`;
    case 'breaks':
      return html`<path d="M${x - 4} ${y - 4}l8 8m0-8l-8 8"/>`;
  }
}

/** Only the two that everybody looks for; the others say who they are when they are pointed at. */
function labels(points: readonly Point[], placeX: (x: number) => number, placeY: (y: number) => number): Markup[] {
  return points
    .filter(({ kind }) => kind === 'original' || kind === 'chosen')
    .map(({ kind, x, y }) => {
      const at = placeX(x);
      const isRight = at > WIDTH - MARGIN.right - 70;
      const name = kind === 'original' ? 'fp32' : 'chosen';
      return html`<text class="name ${kind}" x="${round(at + (isRight ? -11 : 11))}" y="${round(placeY(y) + (kind === 'chosen' ? 15 : -8))}" text-anchor="${isRight ? 'end' : 'start'}">${name}</text>`;
    });
}

function legend(): Markup {
  const entry = (kind: Point['kind'], text: string) =>
    html`<span><svg class="key" viewBox="0 0 20 20" aria-hidden="true"><g class="point ${kind}">${symbol(kind, 10, 10)}</g></svg> ${text}</span>`;
  return html`${entry('original', 'fp32')}${entry('chosen', 'chosen')}${entry('holds', 'holds the budget')}${entry('breaks', 'breaks it')}<span class="muted">The line joins what nothing beats in both. Values are on the evaluation data; what is far outside stands at the edge.</span>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
