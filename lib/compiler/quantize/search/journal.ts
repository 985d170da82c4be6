/** What an interrupted search had found out: each slow step's answer under its name, a line a step, so that the next run asks for none twice. */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { canonicalJson, type Json } from '../../../artifact/digest.js';

/** A checkpoint larger than this is none of ours. */
const MAXIMUM_BYTES = 256 * 2 ** 20;

export interface JournalOptions {
  /** null remembers nothing. */
  readonly folder: string | null;
  /** All that the answers depend on. */
  readonly identity: Json;
}

export class Journal {
  readonly #file: string | undefined;
  readonly #answers = new Map<string, Json>();
  /** Steps that were answered from an earlier run. */
  resumed = 0;

  constructor({ folder, identity }: JournalOptions) {
    if (folder === null) return;
    const key = createHash('sha256').update(canonicalJson(identity)).digest('hex');
    this.#file = join(folder, `${key}.jsonl`);
    this.#load(this.#file);
  }

  /** The answer of an earlier run, else that of `compute`, which is remembered before it is returned. */
  async remember<T extends Json>(step: Json, compute: () => Promise<T>): Promise<T> {
    const key = createHash('sha256').update(canonicalJson(step)).digest('hex');
    const known = this.#answers.get(key);
    if (known !== undefined) {
      this.resumed++;
      return known as T;
    }
    const answer = await compute();
    this.#append(key, answer);
    return answer;
  }

  /** The search has ended: nothing is left to go on from. */
  forget(): void {
    if (this.#file !== undefined) rmSync(this.#file, { force: true });
  }

  #load(file: string): void {
    let text: string;
    try {
      if (!existsSync(file)) return;
      text = readFileSync(file, 'utf8');
    } catch {
      return;
    }
    if (text.length > MAXIMUM_BYTES) return;
    for (const line of text.split('\n')) {
      // The last line of an interrupted run may be half a line.
      const entry = parsed(line);
      if (entry !== undefined) this.#answers.set(entry[0], entry[1]);
    }
  }

  #append(key: string, answer: Json): void {
    if (this.#file === undefined) return;
    try {
      mkdirSync(join(this.#file, '..'), { recursive: true });
      appendFileSync(this.#file, `${JSON.stringify([key, answer])}\n`);
    } catch {
      // A checkpoint that cannot be written only costs time, should the search be interrupted.
    }
  }
}

function parsed(line: string): readonly [string, Json] | undefined {
  if (line === '') return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return Array.isArray(value) && value.length === 2 && typeof value[0] === 'string'
      ? [value[0], value[1] as Json]
      : undefined;
  } catch {
    return undefined;
  }
}

/** `searches` in `$XDG_CACHE_HOME/cdk-onnx` or `~/.cache/cdk-onnx`. */
export function defaultCheckpointFolder(): string | null {
  const configured = process.env.XDG_CACHE_HOME;
  if (configured !== undefined && isAbsolute(configured)) return join(configured, 'cdk-onnx', 'searches');
  const home = homedir();
  return isAbsolute(home) ? join(home, '.cache', 'cdk-onnx', 'searches') : null;
}

/** Numbers as text that keeps every bit, infinities too. */
export function numbersToText(numbers: Float64Array): string {
  return Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength).toString('base64');
}

export function textToNumbers(text: string): Float64Array {
  const bytes = new Uint8Array(Buffer.from(text, 'base64'));
  return new Float64Array(bytes.buffer, 0, Math.floor(bytes.byteLength / 8));
}
