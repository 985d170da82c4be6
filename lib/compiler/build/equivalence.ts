/** Whether what was built still computes what its source computes, by running both on the same made-up inputs. */
import type { SessionSettings, TensorSignature } from '../../artifact/manifest.js';
import { ArtifactError, RuntimeError } from '../../errors.js';
import { float16ToNumber } from '../ir/float16.js';
import type { Model } from '../ir/model.js';
import { KEEP_PADDING_APART } from '../passes/keep-padding-apart.js';
import type { PassesResult } from '../passes/pass.js';
import { sampleInputs } from '../runtime/sample-inputs.js';
import type { RuntimeSession, RuntimeTensor } from '../runtime/session.js';
import { isQuantized } from './session-settings.js';

export interface OutputDifference {
  readonly output: string;
  /** max|Δ| / max|y| over the output; 0 where the bits agree. */
  readonly relativeError: number;
  /** 10 · log10(Σ y² / Σ Δ²) in dB; null where the bits agree. */
  readonly snr: number | null;
}

export type Equivalence =
  | {
      readonly kind: 'compared';
      readonly worst: number;
      readonly outputs: readonly OutputDifference[];
      readonly description: string;
      /** The size that dimensions had which are not fixed. */
      readonly dynamicSize: number;
    }
  /** The source itself refuses made-up inputs (indices out of range, for example). */
  | { readonly kind: 'not-comparable'; readonly reason: string; readonly description: string };

export interface EquivalenceOptions {
  /**
   * Largest max|Δ| / max|y| that passes, or ten times what the last bit of the inputs changes where that is more. undefined, for recipes
   * with loss: their accuracy was measured on real data, made-up inputs only show what is broken (other shapes or types, NaN and infinities
   * that the source does not have, magnitudes out of all proportion).
   */
  readonly tolerance: number | undefined;
  /** Inputs of the source that were frozen to constants. */
  readonly frozen: Readonly<Record<string, RuntimeTensor>>;
  /** What it is compared with, in words. Default 'the source'. */
  readonly reference?: string;
}

/** What the reference of a comparison is opened with: at `basic` onnxruntime misreads what one pass had to rewrite for that. */
export function settingsForReference({ modified }: Pick<PassesResult, 'modified'>): SessionSettings {
  return { graphOptimizationLevel: modified.includes(KEEP_PADDING_APART) ? 'disabled' : 'basic' };
}

/**
 * What a session is opened with for a comparison of rewrites with what they were made of, which is opened at `basic`. Beyond `basic`
 * onnxruntime computes quantized models in integers, and rounds elsewhere: that is the recipe's doing, or its source's, and no rewrite's.
 */
export function settingsForRewrites(model: Model, settings: SessionSettings): SessionSettings {
  return isQuantized(model) ? { ...settings, graphOptimizationLevel: 'basic' } : settings;
}

/** @throws ArtifactError NOT_EQUIVALENT naming the first output that strays */
export async function compareWithSource(
  source: RuntimeSession,
  built: RuntimeSession,
  inputs: readonly TensorSignature[],
  options: EquivalenceOptions,
): Promise<Equivalence> {
  const { reference = 'the source' } = options;
  for (const dynamicSize of [1, 2, 8, 64]) {
    const feeds = sampleInputs(inputs, { dynamicSize });
    const expected = await runOrReason(source, { ...feeds, ...options.frozen });
    if (typeof expected === 'string') {
      if (dynamicSize === 64) {
        const description = `not compared with ${reference}, which refuses made-up inputs: ${expected}`;
        return { kind: 'not-comparable', reason: expected, description };
      }
      continue;
    }
    const { outputs: actual } = await built.run(feeds);
    for (const [output, tensor] of Object.entries(expected)) {
      const fault = garbage(tensor, actual[output]);
      if (fault !== undefined) throw notEquivalent(output, fault);
    }
    const outputs = Object.entries(expected).map(([output, tensor]) => difference(output, tensor, actual[output]));
    const worst = Math.max(0, ...outputs.map(({ relativeError }) => relativeError));
    const { tolerance = Number.POSITIVE_INFINITY } = options;
    const straying = outputs.filter(({ relativeError }) => !(relativeError <= tolerance));
    const own = straying.length === 0 ? undefined : await ownRounding(source, feeds, expected, options.frozen);
    for (const { output, relativeError } of straying) {
      const allowed = Math.max(tolerance, Math.min(MOST_ROUNDING, ROUNDINGS * (own?.get(output) ?? 0)));
      if (relativeError <= allowed) continue;
      throw notEquivalent(output, `max|Δ|/max|y| = ${relativeError.toExponential(2)}, allowed ${shown(allowed)}`);
    }
    const snr = Math.min(...outputs.map((output) => output.snr ?? Number.POSITIVE_INFINITY));
    const description =
      worst === 0
        ? `answers are bit-equal to ${reference} on made-up inputs`
        : `answers differ from ${reference} by max|Δ|/max|y| = ${worst.toExponential(1)} (${snr.toFixed(0)} dB) on made-up inputs`;
    return { kind: 'compared', worst, outputs, description, dynamicSize };
  }
  throw new TypeError('unreachable: the last size returns');
}

/** Every layer rounds, not the inputs alone. */
const ROUNDINGS = 10;
/** However much a model makes of rounding, more than this is no rounding. */
const MOST_ROUNDING = 1e-2;

/**
 * How far each output moves, as max|Δ| / max|y|, where every floating-point input moves by about its last bit (2^-23 of it, up and down in
 * turn): deep networks make hundreds of times as much of rounding, wherever it happens.
 */
async function ownRounding(
  source: RuntimeSession,
  feeds: Readonly<Record<string, RuntimeTensor>>,
  expected: Readonly<Record<string, RuntimeTensor>>,
  frozen: Readonly<Record<string, RuntimeTensor>>,
): Promise<ReadonlyMap<string, number>> {
  const moved = Object.entries(feeds).map(([name, tensor]): [string, RuntimeTensor] => {
    if (!(tensor.data instanceof Float32Array)) return [name, tensor];
    const data = tensor.data.map((value, index) => value * (1 + (index % 2 === 0 ? 1 : -1) * 2 ** -23));
    return [name, { ...tensor, data }];
  });
  const outputs = await runOrReason(source, { ...Object.fromEntries(moved), ...frozen });
  if (typeof outputs === 'string') return new Map();
  return new Map(
    Object.entries(expected).map(([output, tensor]) => [
      output,
      difference(output, tensor, outputs[output]).relativeError,
    ]),
  );
}

function shown(tolerance: number): string {
  return tolerance < 1e-3 ? String(Number(tolerance.toPrecision(2))) : tolerance.toPrecision(2);
}

function notEquivalent(output: string, what: string): ArtifactError {
  return new ArtifactError({
    code: 'NOT_EQUIVALENT',
    message: `The optimized model strays from its source at output '${output}': ${what}.`,
    advice: 'This is a fault of cdk-onnx: please report it with the model. Nothing was written.',
  });
}

/** Beyond so many times the source's largest magnitude, and beyond it in itself, an output says nothing any more. */
const OUT_OF_PROPORTION = 1000;

/** What no recipe may do to an output, however lossy. Sizes may differ where they depend on the data: rank and type may not. */
function garbage(expected: RuntimeTensor, actual: RuntimeTensor | undefined): string | undefined {
  if (actual === undefined) return 'it is missing';
  if (actual.dataType !== expected.dataType) return `it is ${actual.dataType}, the source's is ${expected.dataType}`;
  if (actual.dims.length !== expected.dims.length) {
    return `its shape is [${actual.dims.join(', ')}], the source's is [${expected.dims.join(', ')}]`;
  }
  if (expected.dataType === 'string') return undefined;
  const source = magnitude(expected);
  const built = magnitude(actual);
  if (source.onlyFinite && !built.onlyFinite) return 'it has NaN or infinite elements, the source has none';
  if (built.largest > OUT_OF_PROPORTION * Math.max(1, source.largest)) {
    return `its magnitude is ${built.largest.toExponential(1)}, the source's is ${source.largest.toExponential(1)}`;
  }
  return undefined;
}

function magnitude(tensor: RuntimeTensor): { readonly onlyFinite: boolean; readonly largest: number } {
  let onlyFinite = true;
  let largest = 0;
  for (let index = 0; index < tensor.data.length; index++) {
    const value = Math.abs(numberAt(tensor, index));
    if (!Number.isFinite(value)) onlyFinite = false;
    else if (value > largest) largest = value;
  }
  return { onlyFinite, largest };
}

async function runOrReason(
  session: RuntimeSession,
  feeds: Readonly<Record<string, RuntimeTensor>>,
): Promise<Readonly<Record<string, RuntimeTensor>> | string> {
  try {
    return (await session.run(feeds)).outputs;
  } catch (error) {
    if (error instanceof RuntimeError && error.code === 'RUNTIME_RUN') return error.message;
    throw error;
  }
}

function difference(output: string, expected: RuntimeTensor, actual: RuntimeTensor | undefined): OutputDifference {
  const same =
    actual !== undefined && expected.dims.join() === actual.dims.join() && expected.dataType === actual.dataType;
  if (!same) return { output, relativeError: Number.POSITIVE_INFINITY, snr: Number.NEGATIVE_INFINITY };
  let largest = 0;
  let largestDifference = 0;
  let signal = 0;
  let noise = 0;
  for (let index = 0; index < expected.data.length; index++) {
    const y = numberAt(expected, index);
    const x = numberAt(actual, index);
    if (Object.is(x, y) || x === y) {
      if (Number.isFinite(y)) {
        largest = Math.max(largest, Math.abs(y));
        signal += y * y;
      }
      continue;
    }
    const delta = Math.abs(x - y);
    largest = Math.max(largest, Math.abs(y));
    largestDifference = Number.isNaN(delta) ? Number.POSITIVE_INFINITY : Math.max(largestDifference, delta);
    signal += y * y;
    noise += delta * delta;
  }
  if (largestDifference === 0) return { output, relativeError: 0, snr: null };
  return { output, relativeError: largestDifference / (largest || 1), snr: 10 * Math.log10(signal / noise) };
}

/** Element `index` as a number; texts compare as 0 where they are equal, and are never averaged. */
function numberAt(tensor: RuntimeTensor, index: number): number {
  const element = tensor.data[index];
  if (tensor.dataType === 'float16') return float16ToNumber(Number(element));
  return typeof element === 'string' ? stringHash(element) : Number(element);
}

function stringHash(text: string): number {
  let hash = 0;
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0;
  return hash;
}
