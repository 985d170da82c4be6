/** Lines of JSON: `{ "text", "label" }` for the task, or tensors by input: `{ "<input>": …, "label" }`, `{ "inputs": {…}, "outputs": {…} }`. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Signature, TensorSignature } from '../../artifact/manifest.js';
import { fileRange } from './byte-range.js';
import { damaged, dataError, inFile, tooLarge } from './data-error.js';
import type { Feeds, Label } from './data-set.js';
import { tensorFromJson } from './json-tensor.js';
import type { SampleContent, SampleFile } from './sample-file.js';
import type { TaskDecoder } from './task-decoder.js';
import type { DataPath } from './walk-folder.js';

export interface JsonLinesOptions {
  readonly signature: Signature;
  readonly decoder: TaskDecoder;
  readonly group: string | undefined;
  /** Of the file as a whole; a line's own label goes before it. */
  readonly label: Label | undefined;
  readonly maxLineBytes: number;
  readonly maxLines: number;
  labelFrom(value: unknown, where: string): Label;
}

type JsonObject = Readonly<Record<string, unknown>>;

/** Lines are found now and read later, one at a time. */
export async function jsonLines(data: DataPath, options: JsonLinesOptions): Promise<SampleFile> {
  const { path, file } = data;
  const { digest, lines } = await findLines(data, options);
  return {
    path,
    group: options.group,
    count: lines.length,
    digest,
    async open() {
      const handle = await open(file, 'r').catch((error: unknown) => {
        throw inFile(path, error);
      });
      const { size } = await handle.stat();
      const bytes = fileRange(handle, 0, size, path);
      const objectAt = async (index: number): Promise<JsonObject> => {
        const line = lines[index];
        if (line === undefined) throw damaged(path, `it has no line of data ${index}`);
        const text = Buffer.from(await bytes.read(line.start, line.length)).toString('utf8');
        return parseLine(text, `${path}, line ${line.number}`);
      };
      const labelOf = (object: JsonObject, where: string) => labelIn(object, where, options);
      return {
        async label(index) {
          return labelOf(await objectAt(index), `${path}#${index}`);
        },
        async read(index) {
          const where = `${path}, line ${lines[index]?.number}`;
          try {
            const object = await objectAt(index);
            const label = labelOf(object, where);
            return { ...(await contentOf(object, where, options)), ...(label === undefined ? {} : { label }) };
          } catch (error) {
            throw inFile(where, error);
          }
        },
        close: () => handle.close(),
      };
    },
  };
}

interface Line {
  /** As editors count them. */
  readonly number: number;
  readonly start: number;
  readonly length: number;
}

async function findLines(
  { path, file }: DataPath,
  { maxLineBytes, maxLines }: JsonLinesOptions,
): Promise<{ readonly digest: string; readonly lines: readonly Line[] }> {
  const hash = createHash('sha256');
  const lines: Line[] = [];
  let number = 1;
  let start = 0;
  let position = 0;
  let isBlank = true;
  const endLine = (end: number) => {
    if (end - start > maxLineBytes) throw tooLarge(`${path}, line ${number}`, end - start, maxLineBytes);
    if (!isBlank) lines.push({ number, start, length: end - start });
    if (lines.length > maxLines) throw tooLarge(path, lines.length, maxLines);
    number++;
    start = end + 1;
    isBlank = true;
  };
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      for (let at = 0; at < chunk.length; ) {
        const found = chunk.indexOf(0x0a, at);
        const end = found < 0 ? chunk.length : found;
        isBlank &&= isWhiteSpace(chunk, at, end);
        if (found >= 0) endLine(position + end);
        at = end + 1;
      }
      position += chunk.length;
    }
    if (position > start) endLine(position);
  } catch (error) {
    throw inFile(path, error);
  }
  return { digest: hash.digest('hex'), lines };
}

function isWhiteSpace(bytes: Uint8Array, from: number, end: number): boolean {
  for (let at = from; at < end; at++) if (![0x20, 0x09, 0x0d].includes(bytes[at] ?? 0)) return false;
  return true;
}

function parseLine(text: string, where: string): JsonObject {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw damaged(where, 'it is not JSON', cause);
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as JsonObject;
  throw damaged(where, 'it is no JSON object');
}

function labelIn(
  object: JsonObject,
  where: string,
  { label, labelFrom, signature }: JsonLinesOptions,
): Label | undefined {
  if (object.label !== undefined && !signature.inputs.some(({ name }) => name === 'label')) {
    return labelFrom(object.label, where);
  }
  if (isObject(object.outputs))
    return { kind: 'outputs', outputs: tensorsIn(object.outputs, signature.outputs, where) };
  return label;
}

async function contentOf(object: JsonObject, where: string, options: JsonLinesOptions): Promise<SampleContent> {
  const { signature, decoder } = options;
  if (typeof object.text === 'string' && decoder.text !== undefined) return decoder.text(object.text);
  const tensors = isObject(object.inputs) ? object.inputs : object;
  const known = signature.inputs.filter(({ name }) => tensors[name] !== undefined);
  const missing = signature.inputs.filter(
    ({ name }) => tensors[name] === undefined && decoder.starts[name] === undefined,
  );
  if (missing.length > 0) {
    throw dataError(
      typeof object.text === 'string' ? 'DATA_NEEDS_TASK' : 'DATA_INPUT_MISSING',
      `${where} has no ${missing.map(({ name }) => name).join(', ')}.`,
      'Write every input by its name, or "text" for a model with the task text-classification.',
    );
  }
  return { steps: [{ ...decoder.starts, ...tensorsIn(tensors, known, where) }] };
}

function tensorsIn(object: JsonObject, tensors: readonly TensorSignature[], where: string): Feeds {
  return Object.fromEntries(
    tensors.flatMap((tensor) => {
      const value = object[tensor.name];
      return value === undefined ? [] : [[tensor.name, tensorFromJson(value, tensor, `${where} (${tensor.name})`)]];
    }),
  );
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
