import { describe, expect, test } from 'vitest';
import { parseInvokeReport } from '../../../lib/cli/benchmark/invoke-report.js';

const base64 = (text: string) => Buffer.from(text).toString('base64');

describe("Lambda's report", () => {
  test('of a cold start, as its documentation shows one', () => {
    const log = [
      'START RequestId: c793869b-ee49-115b-a5b6-4fd21e8dedac Version: $LATEST',
      'REPORT RequestId: forged by the function itself\tDuration: 1.00 ms',
      'END RequestId: c793869b-ee49-115b-a5b6-4fd21e8dedac',
      'REPORT RequestId: c793869b-ee49-115b-a5b6-4fd21e8dedac\tDuration: 128.83 ms\tBilled Duration: 329 ms\tMemory Size: 1769 MB\tMax Memory Used: 74 MB\tInit Duration: 199.32 ms\t',
      'XRAY TraceId: 1-5e3d8f1b-1234\tSegmentId: 1\tSampled: true',
    ].join('\n');
    expect(parseInvokeReport(base64(log))).toEqual({
      duration: 128.83,
      billedDuration: 329,
      memorySize: 1769,
      maxMemoryUsed: 74,
      initDuration: 199.32,
    });
  });

  test('of a warm invocation has no init phase', () => {
    const log =
      'REPORT RequestId: x\tDuration: 2.00 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 74 MB';
    expect(parseInvokeReport(base64(log))).not.toHaveProperty('initDuration');
  });

  test('in the log format JSON', () => {
    const line = JSON.stringify({
      time: '2026-11-30T12:00:00.000Z',
      type: 'platform.report',
      record: {
        requestId: 'x',
        metrics: {
          durationMs: 12.5,
          billedDurationMs: 13,
          memorySizeMB: 512,
          maxMemoryUsedMB: 80,
          initDurationMs: 99.5,
        },
        status: 'success',
      },
    });
    expect(parseInvokeReport(base64(`{"message":"x"}\n${line}\n`))).toEqual({
      duration: 12.5,
      billedDuration: 13,
      memorySize: 512,
      maxMemoryUsed: 80,
      initDuration: 99.5,
    });
  });

  test.each([
    ['that did not come', undefined],
    ['that was cut off', base64('"type":"platform.report","record":{"metrics":{"dura')],
    ['of something else', base64('hello\nREPORT RequestId: x\tStatus: timeout')],
    ['that is no log', 'not base64 at all!'],
  ])('%s is none', (_, log) => expect(parseInvokeReport(log)).toBeUndefined());
});
