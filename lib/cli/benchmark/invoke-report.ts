/** What Lambda says of an invocation at the end of its log (`LogType: Tail`). */
export interface InvokeReport {
  /** Of the handler, ms. */
  readonly duration: number;
  /** What is paid for, ms; absent where nothing says it. */
  readonly billedDuration?: number;
  /** MB, as the function is configured. */
  readonly memorySize?: number;
  readonly maxMemoryUsed?: number;
  /** Of the init phase, ms: there only where the invocation started an environment. */
  readonly initDuration?: number;
}

/**
 * Reads the REPORT line of a log's end.
 * https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html
 * @param base64 as `LogResult` of Invoke holds it; undefined where the caller may not see the log
 */
export function parseInvokeReport(base64: string | undefined): InvokeReport | undefined {
  if (base64 === undefined) return undefined;
  const log = Buffer.from(base64, 'base64').toString('utf8');
  return textReport(log) ?? jsonReport(log);
}

function textReport(log: string): InvokeReport | undefined {
  const line = log.split('\n').findLast((text) => text.startsWith('REPORT RequestId:'));
  if (line === undefined) return undefined;
  const number = (name: string) => {
    const [, value] = new RegExp(`(?:^|\\t)${name}: ([\\d.]+) `).exec(line) ?? [];
    return value === undefined ? undefined : Number(value);
  };
  return complete({
    duration: number('Duration'),
    billedDuration: number('Billed Duration'),
    memorySize: number('Memory Size'),
    maxMemoryUsed: number('Max Memory Used'),
    initDuration: number('Init Duration'),
  });
}

/** Functions whose log format is JSON have the same as an object of the type `platform.report`. */
function jsonReport(log: string): InvokeReport | undefined {
  const line = log.split('\n').findLast((text) => text.includes('"platform.report"'));
  if (line === undefined) return undefined;
  try {
    const { record } = JSON.parse(line) as { record?: { metrics?: Record<string, unknown> } };
    const metric = (name: string) => {
      const value = record?.metrics?.[name];
      return typeof value === 'number' ? value : undefined;
    };
    return complete({
      duration: metric('durationMs'),
      billedDuration: metric('billedDurationMs'),
      memorySize: metric('memorySizeMB'),
      maxMemoryUsed: metric('maxMemoryUsedMB'),
      initDuration: metric('initDurationMs'),
    });
  } catch {
    // A line that was cut off: the log's end has 4 KB.
    return undefined;
  }
}

function complete(values: { readonly [K in keyof InvokeReport]: number | undefined }): InvokeReport | undefined {
  const { duration } = values;
  if (duration === undefined) return undefined;
  return { ...Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)), duration };
}
