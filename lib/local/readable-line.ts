/** Structured lines of a log, as a person reads them at a terminal. */

/** Written in another form, of no use at a terminal, or in the local host's own line of the request. */
const LEFT_OUT = new Set([
  ...['level', 'message', 'timestamp', 'error', '_aws'],
  ...['cold_start', 'function_request_id', 'xray_trace_id'],
]);
const UNITS: Readonly<Record<string, string>> = { Milliseconds: ' ms', Seconds: ' s', Bytes: ' bytes', Percent: ' %' };

type Line = Readonly<Record<string, unknown>>;

/**
 * A line in the format of Powertools' logger, or of CloudWatch's embedded metrics, as `INFO request model=faces InferenceTime=12.3 ms`
 * and, below it, its error; any other line as it is.
 */
export function readableLines(line: string): readonly string[] {
  const parsed = parseLine(line);
  if (parsed === undefined) return [line];
  const { level, message, error } = parsed;
  const units = unitsOf(parsed);
  const members = Object.entries(parsed)
    .filter(([name]) => !LEFT_OUT.has(name))
    .map(
      ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}${units.get(name) ?? ''}`,
    );
  const head = [level, message].filter((text) => typeof text === 'string');
  return [[...(head.length === 0 ? ['metrics'] : head), ...members].join(' '), ...errorLines(error)];
}

function parseLine(line: string): Line | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    if (!isObject(value)) return undefined;
    const isLogLine = typeof value.level === 'string' && typeof value.message === 'string';
    return isLogLine || isObject(value._aws) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** By the names of the metrics that the line defines. */
function unitsOf({ _aws }: Line): ReadonlyMap<string, string> {
  const directives = isObject(_aws) && Array.isArray(_aws.CloudWatchMetrics) ? _aws.CloudWatchMetrics : [];
  const definitions = directives.flatMap((directive: unknown): unknown[] =>
    isObject(directive) && Array.isArray(directive.Metrics) ? directive.Metrics : [],
  );
  return new Map(
    definitions.flatMap((definition) => {
      if (!isObject(definition) || typeof definition.Name !== 'string') return [];
      return [[definition.Name, UNITS[String(definition.Unit)] ?? ''] as const];
    }),
  );
}

/** As the logger writes errors: name, message, stack, cause, and what else they have. */
function errorLines(error: unknown): string[] {
  if (!isObject(error)) return error === undefined ? [] : [`  ${String(error)}`];
  const { name, message, code, advice, stack, cause } = error;
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  const title = [name, code].filter((part) => typeof part === 'string' && part !== '').join(' ');
  const lines = [
    `${title}${text(message) === '' ? '' : `: ${text(message)}`}`,
    ...text(advice).split('\n'),
    ...text(stack).split('\n'),
    ...errorLines(cause).map((line, index) => (index === 0 ? `caused by ${line.trimStart()}` : line)),
  ];
  return lines.filter((line) => line.trim() !== '').map((line) => `  ${line}`);
}

function isObject(value: unknown): value is Line {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
