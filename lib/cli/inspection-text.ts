/** An inspection for people: aligned tables. */
import { formatBytes } from '../artifact/units.js';
import type { InspectedValue, InspectedWeight, Inspection } from './inspect.js';
import { textTable } from './text-table.js';

/** Without a final newline. */
export function describe(inspection: Inspection): string {
  const { sizes, producer } = inspection;
  const general: string[][] = [
    ['format', `${inspection.format}, IR version ${inspection.irVersion}`],
    [
      'opsets',
      Object.entries(inspection.opsets)
        .map(([domain, version]) => `${domain} ${version}`)
        .join(', '),
    ],
    ['producer', `${producer.name} ${producer.version}`.trim() || 'unknown'],
    ['file', formatBytes(sizes.file)],
    ['weights', `${formatBytes(sizes.weights)}, ${inspection.parameters.toLocaleString('en-US')} parameters`],
  ];
  if (sizes.external > 0) general.push(['external', formatBytes(sizes.external)]);
  const sections = [
    textTable(general),
    section('Inputs', inspection.inputs.map(valueRow)),
    section('Outputs', inspection.outputs.map(valueRow)),
  ];
  sections.push(
    section(
      'Operators',
      Object.entries(inspection.operators).map(([name, count]) => [name, String(count)]),
    ),
  );
  sections.push(
    section(
      'Functions',
      inspection.functions.map(({ domain, name, nodes }) => [`${domain}.${name}`, `${nodes} nodes`]),
    ),
    section('Largest weights', inspection.largestWeights.map(weightRow)),
    section(
      'Metadata',
      Object.entries(inspection.metadata).map(([key, value]) => [key, clipped(value)]),
    ),
    section(
      'Problems',
      inspection.problems.map(({ code, message, advice }) => [code, `${message} ${advice}`]),
    ),
  );
  return sections.filter((text) => text !== '').join('\n\n');
}

function valueRow({ name, type, shape }: InspectedValue): string[] {
  const dims = shape === null ? '' : `[${shape.map((dim) => dim ?? '?').join(', ')}]`;
  return [name, type ?? 'unknown', dims];
}

function weightRow({ name, type, shape, bytes, external }: InspectedWeight): string[] {
  return [name, type, `[${shape.join(', ')}]`, formatBytes(bytes), external ? 'external' : ''];
}

function section(title: string, rows: readonly (readonly string[])[]): string {
  return rows.length === 0 ? '' : `${title}\n${textTable(rows)}`;
}

function clipped(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}… (${text.length} characters)` : text;
}
