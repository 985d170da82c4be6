/** A model of any format in, an ONNX file out: the pipeline of `cdk-onnx convert`, top to bottom. */
import type { Signature } from '../artifact/manifest.js';
import { sourceBytes } from '../artifact/source-content.js';
import { compareWithSource, type Equivalence, settingsForReference, settingsForRewrites } from './build/equivalence.js';
import { joinPasses } from './build/prepare.js';
import { signatureOf } from './build/signature.js';
import { writeModelFile } from './build/write-model-file.js';
import { countOperators } from './ir/summary.js';
import { validate } from './ir/validation.js';
import { asModelFile } from './metrics/model-file.js';
import { type Bisection, bisect } from './parity/bisect.js';
import { checkParity, type ParityReport } from './parity/gate.js';
import type { Tolerance } from './parity/measure.js';
import { type PassesResult, runPasses } from './passes/pass.js';
import { conversion, normalize } from './passes/presets.js';
import { onnxReader } from './readers/onnx.js';
import { openModel } from './readers/read-model.js';
import { inferTypes } from './runtime/infer-types.js';
import { expectSession, openSession } from './runtime/session.js';

export interface ConvertOptions {
  /** A model file, a folder, or an archive of either. */
  readonly source: string;
  /** Which signature of a SavedModel. Default 'serving_default', else the only one. */
  readonly signature?: string;
  /** Path of the ONNX file; replaced if it is there. */
  readonly out: string;
  /** A .npz file with what the source framework computed. */
  readonly check?: string;
  /** Default DEFAULT_TOLERANCE. */
  readonly tolerance?: Tolerance;
  /** Also compares the outputs of layers that were recorded. Needs `check`. Default false. */
  readonly bisect?: boolean;
  /** Told the name of each step as it begins. */
  readonly onStep?: (name: string) => void;
  /** Told what was found before the gate, which may refuse. */
  readonly onBisected?: (bisection: Bisection) => void;
  /** Stops the conversion; nothing half-written is left. */
  readonly signal: AbortSignal;
}

export interface Converted {
  /** Absolute. */
  readonly path: string;
  readonly bytes: number;
  readonly source: { readonly path: string; readonly format: string; readonly bytes: number };
  readonly opset: number;
  readonly signature: Signature;
  /** Operator to count, most frequent first. */
  readonly operators: Readonly<Record<string, number>>;
  /** Names of the passes that changed the model, each once. */
  readonly passes: readonly string[];
  readonly declined: PassesResult['declined'];
  /** Of the written file with what the reader made, on made-up inputs: it tells of the rewrites, not of the reader. */
  readonly equivalence: Equivalence;
  /** Where samples were given. */
  readonly parity?: ParityReport;
  readonly bisection?: Bisection;
}

/** The largest max|Δ| / max|y| that rewrites may change an output by, on made-up inputs. */
const REWRITE_TOLERANCE = 1e-4;

/**
 * @throws CdkOnnxError of the reader; ArtifactError PARITY_STRAYS, NOT_EQUIVALENT; ConfigurationError PARITY_…, DATA_… for samples that
 * cannot be used
 */
export async function convertModel(options: ConvertOptions): Promise<Converted> {
  const { source, signature, out, check, tolerance, signal } = options;
  const step = (name: string) => {
    signal.throwIfAborted();
    options.onStep?.(name);
  };
  step(`reading ${source}`);
  expectSession();
  await using opened = await openModel(source, { signature, signal });
  const { model, reader } = opened;
  const isOnnx = reader === onnxReader;
  validate(model);
  await using reference = await asModelFile(isOnnx ? opened.path : model);

  let bisection: Bisection | undefined;
  if (check !== undefined && options.bisect === true) {
    step('comparing layer by layer');
    // Its nodes carry the names of the source's layers only before the passes.
    const limit = typeof tolerance === 'number' ? { tolerance } : {};
    bisection = await bisect(model, { samples: check, frozen: {}, signal, ...limit });
    options.onBisected?.(bisection);
  }

  step('normalizing the graph');
  const normalized = await runPasses(model, normalize());
  step('asking onnxruntime for types and shapes');
  await inferTypes(model, { signal });
  expectSession();
  step('arranging what was converted');
  const arranged = await runPasses(model, isOnnx ? [] : conversion());
  validate(model);

  step('writing the model');
  const settings = settingsForRewrites(model, {});
  const { path, bytes, result } = await writeModelFile(model, out, async (written) => {
    let parity: ParityReport | undefined;
    if (check !== undefined) {
      step(`comparing with ${check}`);
      parity = await checkParity(written, {
        samples: check,
        tolerance,
        reference: reference.path,
        settings: isOnnx ? {} : settings,
        signal,
      });
    }
    step('comparing with the graph before rewrites');
    await using built = await openSession(written, { settings, signal });
    await using original = await openSession(reference.path, { settings: settingsForReference(arranged), signal });
    const signature = signatureOf(built);
    const equivalence = await compareWithSource(original, built, signature.inputs, {
      tolerance: REWRITE_TOLERANCE,
      frozen: {},
      reference: isOnnx ? 'the source' : 'the conversion before rewrites',
    });
    return { parity, signature, equivalence };
  });
  const { parity, ...rest } = result;
  const passes = joinPasses(normalized, arranged);
  return {
    path,
    bytes,
    source: { path: source, format: reader.name, bytes: sourceBytes(source) },
    opset: model.opset,
    operators: Object.fromEntries(countOperators(model)),
    passes: passes.modified,
    declined: passes.declined,
    ...rest,
    ...(parity === undefined ? {} : { parity }),
    ...(bisection === undefined ? {} : { bisection }),
  };
}
