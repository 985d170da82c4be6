/** `npm run bench -- <suite> [--json] [--only CASE]`: one table, peers beside us in the same run; exit code 0 only if every bar holds. */
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import type { Bar, Row, Suite, SuiteContext } from './suite.js';

const SUITES: Readonly<Record<string, () => Promise<Suite>>> = {
  serving: async () => (await import('./serving.js')).serving,
  'cold-start': async () => (await import('./cold-start.js')).coldStart,
  quantize: async () => (await import('./quantize.js')).quantize,
  convert: async () => (await import('./convert.js')).convert,
  router: async () => (await import('./router.js')).router,
  'main-job': async () => (await import('./main-job.js')).mainJob,
};

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean' }, only: { type: 'string', multiple: true } },
  allowPositionals: true,
});
const load = SUITES[positionals[0] ?? ''];
if (load === undefined) {
  process.stderr.write(`npm run bench -- <${Object.keys(SUITES).join('|')}> [--json] [--only CASE]\n`);
  process.exit(2);
}
const suite = await load();
const rows: Row[] = [];
const bars: Bar[] = [];
const log = (text: string) => process.stderr.write(`${text}\n`);
const context: SuiteContext = {
  row(row) {
    rows.push(row);
    log(
      `${row.case.padEnd(22)} ${row.subject.padEnd(28)} ${row.metric.padEnd(18)} ${shown(row.value)} ${row.unit}${row.note ? ` (${row.note})` : ''}`,
    );
  },
  bar(name, value, limit) {
    const holds = value !== null && ('max' in limit ? value <= limit.max : value >= limit.min);
    bars.push({ name, limit: 'max' in limit ? `<= ${limit.max}` : `>= ${limit.min}`, value, holds });
  },
  note: log,
  wants: (name) => values.only === undefined || values.only.includes(name),
};
await suite.run(context);

const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memoryBytes: totalmem(),
  platform: `${process.platform}-${process.arch}`,
};
const versions = { node: process.version, ...(await suite.versions()) };
log('');
for (const bar of bars)
  log(`${bar.holds ? 'holds     ' : 'FALLS SHORT'} ${bar.name}: ${shown(bar.value)} (${bar.limit})`);
if (values.json === true)
  process.stdout.write(`${JSON.stringify({ suite: suite.name, machine, versions, rows, bars })}\n`);
process.exitCode = bars.every(({ holds }) => holds) ? 0 : 1;

function shown(value: number | null): string {
  if (value === null) return 'n/a';
  return (Number.isInteger(value) ? String(value) : value.toPrecision(4)).padStart(10);
}
