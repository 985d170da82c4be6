/** What is known to be true of samples: from a folder's labels.json, from the names of its first folders, or from a file itself. */
import { z } from 'zod';
import type { Task } from '../../artifact/task.js';
import { dataError } from './data-error.js';
import type { Label } from './data-set.js';

export const LABELS_FILE = 'labels.json';

const size = z.number();
const box = z.strictObject({ label: z.string(), x: size, y: size, width: size.min(0), height: size.min(0) });
const truth = z.union([z.string(), z.int().min(0), z.array(box).max(100_000)]);
const labelsSchema = z.record(z.string(), truth);

export type Truth = z.output<typeof truth>;

/** Class names by index, where the task has classes. */
export function classesOf(task: Task): readonly string[] | undefined {
  return task.type === 'image-classification' || task.type === 'text-classification' ? task.labels : undefined;
}

/** @throws ConfigurationError DATA_LABEL_INVALID */
export function parseLabels(text: string, where: string): ReadonlyMap<string, Truth> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw invalid(`${where} is not JSON`, cause);
  }
  const result = labelsSchema.safeParse(json);
  if (result.success) return new Map(Object.entries(result.data));
  const [issue] = result.error.issues;
  throw invalid(`${where} is not valid at ${issue?.path.join('.') || 'its top'}: ${issue?.message}`);
}

/**
 * A text is a class's name where there are classes, else the text that should come out; a number is a class's index.
 * @throws ConfigurationError DATA_LABEL_INVALID
 */
export function labelOf(value: unknown, classes: readonly string[] | undefined, where: string): Label {
  const parsed = truth.safeParse(value);
  if (!parsed.success) throw invalid(`The label of ${where} is neither a class nor a text nor boxes`);
  const { data } = parsed;
  if (typeof data === 'object') return { kind: 'boxes', boxes: data };
  if (typeof data === 'string') {
    if (classes === undefined) return { kind: 'text', text: data };
    const index = classes.indexOf(data);
    if (index < 0) throw unknownClass(data, classes, where);
    return { kind: 'class', index };
  }
  if (classes !== undefined && data >= classes.length) throw unknownClass(String(data), classes, where);
  return { kind: 'class', index: data };
}

/**
 * Labels by first-level folder, for the files that lie in one. Where no folder has a class's name the folders are groups and nothing more.
 * @throws ConfigurationError DATA_LABEL_INVALID where some folders are classes and others not
 */
export function folderLabels(
  groups: readonly (string | undefined)[],
  classes: readonly string[] | undefined,
  where: string,
): ReadonlyMap<string, Label> {
  const known = new Map<string, Label>();
  const strangers: string[] = [];
  for (const group of new Set(groups)) {
    if (group === undefined) continue;
    const index = classes?.indexOf(group) ?? -1;
    if (index < 0) strangers.push(group);
    else known.set(group, { kind: 'class', index });
  }
  if (known.size > 0 && strangers.length > 0)
    throw unknownClass(strangers.join(', '), classes ?? [], `the folders of ${where}`);
  return known;
}

function unknownClass(name: string, classes: readonly string[], where: string) {
  const shown = classes.slice(0, 10).join(', ') + (classes.length > 10 ? ', …' : '');
  return invalid(`${where}: ${JSON.stringify(name.slice(0, 200))} is none of the ${classes.length} classes (${shown})`);
}

function invalid(message: string, cause?: unknown) {
  return dataError(
    'DATA_LABEL_INVALID',
    `${message}.`,
    'labels.json says, by file: a class name or index, a text, or [{ "label", "x", "y", "width", "height" }].',
    cause,
  );
}
