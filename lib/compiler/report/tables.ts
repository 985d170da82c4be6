/** The tables of a report: nodes, candidates, refusals, data, results by source. Those that people sort carry their sort keys. */
import type { Recipe } from '../../artifact/recipe.js';
import { formatBytes } from '../../artifact/units.js';
import type { CandidateResult, NodeResult } from '../quantize/search/search-result.js';
import { formatMetric, formatMilliseconds, formatNumber } from './figures.js';
import { type Content, html, type Markup } from './markup.js';
import type { OptimizationReport } from './report.js';

interface Column<Row> {
  readonly title: string;
  /** What the whole column means, on the header. */
  readonly hint?: string;
  readonly cell: (row: Row) => Content;
  /** Sorts by it; columns without are not sorted. */
  readonly key?: (row: Row) => number | string;
  readonly isNumber?: boolean;
}

/** `nodes` names the table for its filter. */
function table<Row>(name: string, rows: readonly Row[], columns: readonly Column<Row>[]): Markup {
  const heads = columns.map(({ title, hint, key, isNumber }) => {
    const label = key === undefined ? title : html`<button type="button">${title}</button>`;
    return html`<th scope="col"${attribute('class', isNumber === true ? 'number' : undefined)}${attribute('title', hint)}>${label}</th>`;
  });
  const body = rows.map(
    (row) =>
      html`<tr>${columns.map(
        ({ cell, key, isNumber }) =>
          html`<td${attribute('class', isNumber === true ? 'number' : undefined)}${attribute('data-key', key?.(row))}>${cell(row)}</td>`,
      )}</tr>`,
  );
  return html`<div class="scroll"><table id="${name}"><thead><tr>${heads}</tr></thead><tbody>
${body}
</tbody></table></div>`;
}

function attribute(name: string, value: string | number | undefined): Markup | undefined {
  return value === undefined ? undefined : html` ${name}="${value}"`;
}

/** `int8 static, per channel, uint8 activations`. */
export function recipeText(recipe: Recipe): string {
  switch (recipe.scheme) {
    case 'fp32':
      return 'fp32';
    case 'fp16-storage':
      return 'fp16 storage';
    case 'int8-embedding':
      return 'int8 embedding';
    case 'int8-weight-only':
      return `int8 weight-only, ${channels(recipe)}`;
    case 'int8-dynamic':
      return `${recipe.weights} dynamic, ${channels(recipe)}${recipe.reduceRange ? ', 7 bits' : ''}`;
    case 'int8-static':
      return `${recipe.weights} static, ${channels(recipe)}, ${recipe.activations} activations${recipe.reduceRange ? ', 7 bits' : ''}`;
    case 'matmul-nbits':
      return `${recipe.bits}-bit blocks of ${recipe.blockSize}${recipe.symmetric ? '' : ', asymmetric'}`;
  }
}

function channels({ perChannel }: { readonly perChannel: boolean }): string {
  return perChannel ? 'per channel' : 'per tensor';
}

export function nodeTable({ nodes, breaking }: OptimizationReport): Markup {
  const worst = Math.max(...nodes.map(({ sensitivity }) => finite(sensitivity)), Number.MIN_VALUE);
  const broke = new Set(breaking);
  const order = new Map(nodes.map((node, index) => [node, index]));
  return table<NodeResult>('nodes', nodes, [
    { title: '#', cell: (node) => (order.get(node) ?? 0) + 1, key: (node) => order.get(node) ?? 0, isNumber: true },
    {
      title: 'Node',
      cell: ({ node, name }) =>
        html`<span class="operator">${node.opType}</span> <code>${name || node.output}</code>${broke.has(node.output) ? html` <span class="tag bad">broke the budget</span>` : undefined}`,
      key: ({ node, name }) => `${node.opType} ${name || node.output}`,
    },
    {
      title: 'Recipe',
      cell: ({ recipe }) => html`<span class="tag recipe ${recipe.scheme}">${recipeText(recipe)}</span>`,
      key: ({ recipe }) => recipeText(recipe),
    },
    {
      title: 'Sensitivity',
      hint: 'Noise that the recipe alone is predicted to add to the outputs, relative to their energy',
      cell: ({ sensitivity }) =>
        html`${bar(finite(sensitivity) / worst)}<span class="figures">${formatNumber(sensitivity)}</span>`,
      key: ({ sensitivity }) => finite(sensitivity),
      isNumber: true,
    },
    {
      title: 'SNR, dB',
      hint: 'The node’s own output against float32 on the same inputs; – where it stays in float32',
      cell: ({ snr }) => formatNumber(snr),
      key: ({ snr }) => snr ?? 1e9,
      isNumber: true,
    },
    {
      title: 'Weights',
      cell: ({ bytes }) =>
        bytes.original === 0 ? '–' : html`${formatBytes(bytes.original)} → ${formatBytes(bytes.chosen)}`,
      key: ({ bytes }) => bytes.original,
      isNumber: true,
    },
    {
      title: 'Saved',
      cell: ({ bytes }) => (bytes.original > bytes.chosen ? formatBytes(bytes.original - bytes.chosen) : '–'),
      key: ({ bytes }) => bytes.original - bytes.chosen,
      isNumber: true,
    },
    { title: 'Else', hint: 'Other recipes that were possible', cell: alternatives },
  ]);
}

function alternatives({ alternatives: others }: NodeResult): Content {
  if (others.length === 0) return '–';
  const lines = others.map(
    ({ recipe, snr, bytes }) => html`<li>${recipeText(recipe)}: ${formatNumber(snr)} dB, ${formatBytes(bytes)}</li>`,
  );
  return html`<details><summary>${others.length}</summary><ul>${lines}</ul></details>`;
}

/** Filled by a share of its width. */
function bar(share: number): Markup {
  const width = Math.round(Math.min(1, Math.max(0, share)) * 40);
  return html`<svg class="bar" viewBox="0 0 40 8" aria-hidden="true"><rect width="${width}" height="8"/></svg> `;
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

export function candidateTable({ candidates, certificate: { unit } }: OptimizationReport): Markup {
  return table<CandidateResult>('candidates', candidates, [
    {
      title: 'Candidate',
      cell: ({ name, chosen }) => html`${name}${chosen ? html` <span class="tag good">chosen</span>` : undefined}`,
      key: ({ name }) => name,
    },
    {
      title: 'Metric',
      cell: ({ value }) => formatMetric(value, unit),
      key: ({ value }) => clamped(value),
      isNumber: true,
    },
    { title: 'Loss', cell: ({ loss }) => formatNumber(loss), key: ({ loss }) => clamped(loss), isNumber: true },
    { title: 'Budget', cell: ({ holds }) => (holds ? 'holds' : 'breaks'), key: ({ holds }) => (holds ? 0 : 1) },
    { title: 'Size', cell: ({ bytes }) => formatBytes(bytes), key: ({ bytes }) => bytes, isNumber: true },
    {
      title: 'Run',
      cell: ({ timing }) => formatMilliseconds(timing?.run),
      key: ({ timing }) => timing?.run ?? 1e12,
      isNumber: true,
    },
    {
      title: 'Cold start',
      hint: 'Opening the session, and the first run',
      cell: ({ timing }) => formatMilliseconds(timing === undefined ? undefined : timing.open + timing.firstRun),
      key: ({ timing }) => (timing === undefined ? 1e12 : timing.open + timing.firstRun),
      isNumber: true,
    },
    {
      title: 'Nodes by scheme',
      cell: ({ schemes }) =>
        Object.entries(schemes)
          .map(([scheme, count]) => `${count} ${scheme}`)
          .join(', '),
    },
  ]);
}

/** Sort keys are numbers that a page can hold. */
function clamped(value: number): number {
  return Number.isNaN(value) ? -1e300 : Math.max(-1e300, Math.min(1e300, value));
}

/** The same reason once, with all that it refused. */
export function refusalTable({ refused }: OptimizationReport): Markup {
  const groups = new Map<string, { reason: string; recipe: string; subjects: string[] }>();
  for (const { subject, recipe, reason } of refused) {
    const text = recipe === undefined ? '' : recipeText(recipe);
    const key = JSON.stringify([reason, text]);
    const group = groups.get(key) ?? { reason, recipe: text, subjects: [] };
    group.subjects.push(subject);
    groups.set(key, group);
  }
  const rows = [...groups.values()].sort((a, b) => b.subjects.length - a.subjects.length);
  return table('refused', rows, [
    { title: 'Why', cell: ({ reason }) => reason },
    { title: 'Recipe', cell: ({ recipe }) => recipe || '–' },
    { title: 'What', cell: ({ subjects }) => subjectList(subjects) },
  ]);
}

const SHOWN_SUBJECTS = 3;

function subjectList(subjects: readonly string[]): Content {
  const codes = subjects.map((subject) => html`<code>${subject}</code> `);
  if (codes.length <= SHOWN_SUBJECTS) return codes;
  return html`<details><summary>${subjects.length} of them</summary>${codes}</details>`;
}

export function dataTable({ data }: OptimizationReport): Markup {
  return table('data', data, [
    { title: 'Role', cell: ({ role }) => role },
    {
      title: 'Data',
      cell: ({ path, isSynthetic, digest }) => {
        const name = html`<code>${path ?? 'part of the evaluation data'}</code>`;
        const source = isSynthetic ? html`<span class="tag bad">made up</span>` : name;
        return html`${source}<br><span class="muted" title="${digest}">sha256 ${digest.slice(0, 12)}…</span>`;
      },
    },
    { title: 'Samples', cell: ({ samples }) => samples, isNumber: true },
    {
      title: 'By source',
      cell: ({ groups }) =>
        Object.entries(groups)
          .map(([group, samples]) => `${group}: ${samples}`)
          .join(', ') || '–',
    },
  ]);
}

export function groupTable({ groups, certificate: { unit } }: OptimizationReport): Markup {
  return table('groups', groups, [
    { title: 'Source', cell: ({ group }) => group, key: ({ group }) => group },
    { title: 'Samples', cell: ({ samples }) => samples, key: ({ samples }) => samples, isNumber: true },
    {
      title: 'fp32',
      cell: ({ original }) => formatMetric(original, unit),
      key: ({ original }) => clamped(original),
      isNumber: true,
    },
    {
      title: 'Chosen',
      cell: ({ value }) => formatMetric(value, unit),
      key: ({ value }) => clamped(value),
      isNumber: true,
    },
  ]);
}
