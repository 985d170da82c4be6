import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readableLines } from '../../lib/local/readable-line.js';

test('a line with metrics tells their units and leaves out what only machines read', () => {
  const line = {
    level: 'INFO',
    message: 'request',
    timestamp: '2026-11-24T19:36:21.373Z',
    model: 'faces',
    status: 200,
    cold_start: true,
    function_request_id: '3f9c4f0e',
    xray_trace_id: '1-5759e988-bd862e3fe1be46a994272793',
    correlation_id: 'order-17',
    ColdStart: 1,
    InferenceTime: 12.345,
    _aws: {
      Timestamp: 1795548981371,
      CloudWatchMetrics: [
        {
          Namespace: 'cdk-onnx',
          Dimensions: [['model']],
          Metrics: [
            { Name: 'ColdStart', Unit: 'Count' },
            { Name: 'InferenceTime', Unit: 'Milliseconds' },
          ],
        },
      ],
    },
  };
  expect(readableLines(JSON.stringify(line))).toEqual([
    'INFO request model=faces status=200 correlation_id=order-17 ColdStart=1 InferenceTime=12.345 ms',
  ]);
  const { level: _, message: __, ...metricsOnly } = line;
  expect(readableLines(JSON.stringify(metricsOnly))).toEqual([
    'metrics model=faces status=200 correlation_id=order-17 ColdStart=1 InferenceTime=12.345 ms',
  ]);
});

test('an error stands below its line, with its advice, its place and its causes', () => {
  const error = {
    name: 'RuntimeError',
    message: 'onnxruntime-node could not be loaded.',
    code: 'RUNTIME_NOT_LOADED',
    advice: 'Add the layer.',
    stack: '    at requireRuntime (index.mjs:1:2)\n    at openModel (index.mjs:1:3)',
    cause: { name: 'Error', message: 'Cannot find module', cause: 'none' },
  };
  expect(readableLines(JSON.stringify({ level: 'ERROR', message: 'failed', error, list: [1, { a: 2 }] }))).toEqual([
    'ERROR failed list=[1,{"a":2}]',
    '  RuntimeError RUNTIME_NOT_LOADED: onnxruntime-node could not be loaded.',
    '  Add the layer.',
    '      at requireRuntime (index.mjs:1:2)',
    '      at openModel (index.mjs:1:3)',
    '  caused by Error: Cannot find module',
    '    caused by none',
  ]);
});

test.each(['', 'plain text', '{"half":', '{"some":"object"}', '[1]', '{"level":"INFO"}', 'null', '{"_aws":1}'])(
  'any other line stays as it is: %j',
  (line) => {
    expect(readableLines(line)).toEqual([line]);
  },
);

test('no line is too odd', () => {
  const members = fc.dictionary(
    fc.constantFrom('level', 'message', 'error', '_aws', 'cause', 'CloudWatchMetrics', 'Metrics', 'Name', 'Unit', 'x'),
    fc.jsonValue(),
  );
  const odd = fc.oneof(
    fc.string(),
    members.map((value) => JSON.stringify({ level: 'INFO', message: 'm', ...value })),
    members.map((value) => JSON.stringify({ _aws: { CloudWatchMetrics: [value] }, error: value })),
  );
  fc.assert(
    fc.property(odd, (line) => {
      expect(readableLines(line).length).toBeGreaterThan(0);
    }),
    { seed: 5 },
  );
});
