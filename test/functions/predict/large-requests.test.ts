/** The worst that 6 MB of request can say must cost a bounded piece of memory and of the processor's time. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataType } from '../../../lib/artifact/manifest.js';
import { v2DataType } from '../../../lib/protocol/data-types.js';
import { NODES_UNDER_TEST, requireNode } from '../../support/node24.js';
import { httpEvent, type PreparedFunction, prepareFunction } from '../../support/predict-function.js';
import { type ServedArtifact, writeEchoArtifact } from '../../support/served-artifact.js';

/** What Lambda takes of an event, less what stands around the body. */
const BODY_BYTES = 6 * 1024 * 1024 - 2000;
/** Of the whole process, Node.js and onnxruntime included. A function has 1,769 MB unless it says otherwise. */
const MAX_MEBIBYTES = 450;
/** A linear pass over such a request takes tenths of seconds, and most of these make five or six; a quadratic one would take hours. */
const MAX_CPU_MILLISECONDS = 5000;

let prepared: PreparedFunction;
const artifacts = new Map<DataType, ServedArtifact>();

beforeAll(async () => {
  prepared = await prepareFunction();
  for (const dataType of ['float32', 'int64', 'bool', 'string'] as const) {
    artifacts.set(dataType, writeEchoArtifact([{ name: 'x', dataType, shape: ['N'] }]));
  }
});
afterAll(() => {
  for (const artifact of artifacts.values()) artifact.remove();
  prepared.remove();
});

/** As many copies of `element` as make an event of 6 MB, with commas between; in an event, quotes take two bytes. */
function filled(element: string, last = element): { readonly text: string; readonly count: number } {
  const count = Math.floor((BODY_BYTES - 300) / (JSON.stringify(`${element},`).length - 2));
  return { text: `${`${element},`.repeat(count - 1)}${last}`, count };
}

const infer = (dataType: DataType, element: string, last = element) => {
  const { text, count } = filled(element, last);
  const head = `"name":"x","datatype":"${v2DataType(dataType)}","shape":[${count}]`;
  return { dataType, path: '/v2/models/echo/infer', body: `{"inputs":[{${head},"data":[${text}]}]}` };
};
const rows = (dataType: DataType, element: string, last = element) => ({
  dataType,
  path: '/v1/models/echo:predict',
  body: `{"instances":[${filled(element, last).text}]}`,
});
const text = (body: string) => ({ dataType: 'float32' as const, path: '/v2/models/echo/infer', body });
const HALF = Math.floor(BODY_BYTES / 2);

const CASES: Readonly<Record<string, [ReturnType<typeof infer>, number | string]>> = {
  'three million numbers': [infer('float32', '0'), 200],
  'three million rows': [rows('float32', '0'), 200],
  'three million booleans, whose answer is too large': [rows('bool', '1'), 'RESPONSE_TOO_LARGE'],
  'a million integers in scientific notation, one of them long': [
    infer('int64', '1e16', '9007199254740993'),
    'RESPONSE_TOO_LARGE',
  ],
  'integers, one of them long': [infer('int64', '1', '9007199254740993'), 200],
  'rows of integers, one of them long': [rows('int64', '1', '9007199254740993'), 200],
  'empty strings': [rows('string', '""'), 200],
  'two million objects': [infer('float32', '{}'), 'ELEMENT_INVALID'],
  'two million arrays': [rows('float32', '[]'), 'SHAPE_MISMATCH'],
  'rows thirty levels deep': [rows('float32', `${'['.repeat(30)}0${']'.repeat(30)}`), 'SHAPE_MISMATCH'],
  'three million levels': [text('['.repeat(HALF) + ']'.repeat(HALF)), 'JSON_TOO_DEEP'],
  'six million levels without an end': [text('['.repeat(BODY_BYTES)), 'JSON_TOO_DEEP'],
  'hundreds of thousands of keys': [
    text(`{${Array.from({ length: 350_000 }, (_, key) => `"k${key.toString(36)}":0`).join(',')}}`),
    'INPUTS_INVALID',
  ],
  'backslashes in a string': [text(`{"id":"${'\\\\'.repeat(BODY_BYTES / 4 - 100)}"}`), 'INPUTS_INVALID'],
  'one long number': [infer('int64', '1'.repeat(BODY_BYTES - 500)), 'ELEMENT_INVALID'],
};

describe.each(NODES_UNDER_TEST)('on $name a request of 6 MB', (target) => {
  it.for(Object.entries(CASES))(
    'of %s costs little enough',
    async ([, [{ dataType, path, body }, outcome]], { skip }) => {
      const event = httpEvent({ method: 'POST', path, body });
      expect(JSON.stringify(event).length).toBeLessThan(6 * 1024 * 1024);
      const artifact = artifacts.get(dataType) as ServedArtifact;
      const running = await prepared.start({
        artifact: artifact.folder,
        node: requireNode(target, skip),
      });
      try {
        const answer = await running.invoke(event);
        const { code = answer.statusCode } = JSON.parse(answer.body) as { code?: string };
        expect(code).toBe(outcome);
        expect(running.usage.peakMebibytes).toBeLessThan(MAX_MEBIBYTES);
        expect(running.usage.cpuMilliseconds).toBeLessThan(MAX_CPU_MILLISECONDS);
        const next = await running.invoke(httpEvent({ method: 'GET', path: '/v2/health/ready' }));
        expect(next.statusCode).toBe(200);
      } finally {
        await running.stop();
      }
    },
  );
});
