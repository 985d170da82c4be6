/** Whether a version answers as another one did. */
import type { NumericTolerance } from '../../../lib/artifact/replay.js';
import { type Answer, membersOf } from '../answer.js';
import { type Difference, DifferenceTally } from './difference.js';
import { type AnsweredTensor, readInferAnswer } from './infer-answer.js';

export interface Comparison {
  readonly tolerance: NumericTolerance;
  /** `form`: whatever the values. */
  readonly compare: 'values' | 'form';
}

export function compareAnswers(live: Answer, next: Answer, comparison: Comparison): readonly Difference[] {
  if (live.status !== next.status) return [{ kind: 'status', live: live.status, new: next.status }];
  if (live.status >= 400) return compareErrors(live, next);
  const types = [mediaType(live), mediaType(next)] as const;
  if (types[0] !== types[1]) return [{ kind: 'content-type', live: types[0], new: types[1] }];
  const tally = new DifferenceTally(comparison.tolerance);
  const [liveTensors, nextTensors] = [readInferAnswer(live), readInferAnswer(next)];
  if (liveTensors !== undefined && nextTensors !== undefined) {
    compareTensors(liveTensors, nextTensors, comparison, tally);
  } else if (comparison.compare === 'values') {
    compareBodies(live, next, tally);
  }
  return tally.differences;
}

function compareErrors(live: Answer, next: Answer): readonly Difference[] {
  const { code: before } = membersOf(live.body);
  const { code: now } = membersOf(next.body);
  return before === now ? [] : [{ kind: 'error-code', live: String(before), new: String(now) }];
}

function mediaType({ headers }: Answer): string {
  return (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

function compareTensors(
  live: ReadonlyMap<string, AnsweredTensor>,
  next: ReadonlyMap<string, AnsweredTensor>,
  { compare }: Comparison,
  tally: DifferenceTally,
): void {
  for (const name of next.keys()) if (!live.has(name)) tally.add({ kind: 'added', name });
  for (const [name, tensor] of live) {
    const other = next.get(name);
    if (other === undefined) tally.add({ kind: 'missing', name });
    else if (tensor.dataType !== other.dataType) tally.add({ kind: 'form', name });
    else if (compare === 'values') compareTensor(name, tensor, other, tally);
  }
}

function compareTensor(name: string, live: AnsweredTensor, next: AnsweredTensor, tally: DifferenceTally): void {
  if (live.shape.join() !== next.shape.join() || live.elements.length !== next.elements.length) {
    tally.add({ kind: 'form', name });
    return;
  }
  for (let index = 0; index < live.elements.length; index++) {
    const [before, now] = [live.elements[index], next.elements[index]];
    if (live.isFloat) tally.compareNumbers(name, Number(before), Number(now));
    else tally.compareExactly(name, String(before), String(now));
  }
}

/** Say nothing of the prediction: a version of the model may be another one, and a request may have a name. */
const LEFT_OUT = new Set(['model_version', 'id']);

function compareBodies(live: Answer, next: Answer, tally: DifferenceTally): void {
  if (!mediaType(live).endsWith('json')) {
    // A picture, or another one: bytes are all that is known of it.
    tally.compareExactly('body', live.body.toString('base64'), next.body.toString('base64'));
    return;
  }
  const [before, now] = [live, next].map(({ body }) =>
    Object.fromEntries(Object.entries(membersOf(body)).filter(([name]) => !LEFT_OUT.has(name))),
  );
  compareValues('', before, now, tally);
}

/** @param name where they are, without the indexes of arrays */
function compareValues(name: string, live: unknown, next: unknown, tally: DifferenceTally): void {
  if (typeof live === 'number' && typeof next === 'number') {
    tally.compareNumbers(name, live, next);
  } else if (Array.isArray(live) && Array.isArray(next)) {
    if (live.length !== next.length) tally.add({ kind: 'form', name });
    else for (const [index, value] of live.entries()) compareValues(`${name}[]`, value, next[index], tally);
  } else if (isObject(live) && isObject(next)) {
    const path = (key: string) => (name === '' ? key : `${name}.${key}`);
    for (const key of Object.keys(next)) if (!(key in live)) tally.add({ kind: 'added', name: path(key) });
    for (const [key, value] of Object.entries(live)) {
      if (key in next) compareValues(path(key), value, next[key], tally);
      else tally.add({ kind: 'missing', name: path(key) });
    }
  } else if (typeof live === typeof next && !isObject(live) && !isObject(next) && !Array.isArray(live)) {
    tally.compareExactly(name, live, next);
  } else {
    tally.add({ kind: 'form', name });
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
