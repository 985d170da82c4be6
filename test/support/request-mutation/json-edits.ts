/** Damage for JSON documents that stay JSON: on values, keys and the order of things, where bytes alone rarely get. */
import { below, pick, type Random } from '../mutation-edits.js';

type Container = Record<string, unknown> | unknown[];

const NUMBERS = [0, 1, -1, 2, 3, 8, 255, 256, 0.5, -0, 65504, 65520, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 63, 1e39, 1e308];
const TEXTS = [
  '',
  'a',
  '1',
  'x',
  'FP16',
  'FP32',
  'INT64',
  'BYTES',
  'BOOL',
  'UINT8',
  'BF16',
  'floats',
  'longs_out',
  '\0',
];
const MORE_TEXTS = ['\ud800', '__proto__', 'serving_default', 'NaN', 'true', 'é'.repeat(200), 'shared_memory_region'];
const KEYS = [
  'name',
  'datatype',
  'shape',
  'data',
  'parameters',
  'binary_data_size',
  'binary_data',
  'inputs',
  'outputs',
];
const MORE_KEYS = [
  'id',
  'instances',
  'signature_name',
  'b64',
  '__proto__',
  'classification',
  'floats',
  'binary_data_output',
];

/** The text, edited in one to three places; unchanged where it is no JSON with anything in it. */
export function editJson(text: string, random: Random): string {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return text;
  }
  if (typeof root !== 'object' || root === null) return text;
  for (let count = 1 + below(random, 3); count > 0; count--) editOnce(root as Container, random);
  return JSON.stringify(root);
}

function editOnce(root: Container, random: Random): void {
  let container = root;
  while (random() < 0.75) {
    const children = Object.values(container).filter((child) => typeof child === 'object' && child !== null);
    if (children.length === 0) break;
    container = pick(random, children) as Container;
  }
  if (Array.isArray(container)) editArray(container, root, random);
  else editObject(container, root, random);
}

function editArray(list: unknown[], root: Container, random: Random): void {
  const at = below(random, list.length);
  const edits: (() => void)[] = [
    () => list.splice(at, 1),
    () => list.splice(at, 0, structuredClone(list[at])),
    () => list.push(someValue(root, random)),
    () => list.reverse(),
    () => list.splice(0, list.length),
    () => list.splice(at, 1, someValue(root, random)),
    () => list.splice(at, 1, [list[at]]),
    () => list.splice(0, list.length, ...list.flat()),
  ];
  pick(random, edits)();
}

function editObject(object: Record<string, unknown>, root: Container, random: Random): void {
  const key = pick(random, Object.keys(object));
  const edits: (() => void)[] = [
    () => delete object[key],
    () => define(object, key, someValue(root, random)),
    () => define(object, key, someValue(root, random)),
    () => define(object, pick(random, [...KEYS, ...MORE_KEYS]), someValue(root, random)),
    () => define(object, pick(random, [...KEYS, ...MORE_KEYS]), object[key]),
    () => define(object, key, [object[key]]),
    () => define(object, key, near(object[key], random)),
  ];
  pick(random, edits)();
}

/** An own property, whatever its name. */
function define(object: Record<string, unknown>, key: string | undefined, value: unknown): void {
  if (key === undefined) return;
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

/** A value that is almost the same: off by one, a character less. */
function near(value: unknown, random: Random): unknown {
  if (typeof value === 'number') return value + pick(random, [-1, 1, 0.5, -value, value]);
  if (typeof value === 'string') return pick(random, [value.slice(1), `${value} `, value.toLowerCase(), value + value]);
  return typeof value === 'boolean' ? Number(value) : value;
}

function someValue(root: Container, random: Random): unknown {
  const kind = below(random, 10);
  if (kind < 3) return pick(random, NUMBERS);
  if (kind < 5) return pick(random, [...TEXTS, ...MORE_TEXTS]);
  if (kind === 5) return pick(random, [null, true, false]);
  if (kind === 6) return pick(random, [[], {}, [[]], [1], [[1, 2], [3]], { b64: 'YQ==' }, { b64: '!' }]);
  if (kind === 7) return Array.from({ length: below(random, 6) }, () => pick(random, NUMBERS));
  if (kind === 8) return nested(below(random, 80));
  // From elsewhere in the document: names and shapes that meet make duplicates and mismatches.
  let value: unknown = root;
  while (typeof value === 'object' && value !== null && random() < 0.8) value = pick(random, Object.values(value));
  return structuredClone(value);
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}
