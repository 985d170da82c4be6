/** The parity gate: a model passes if it computes what its source framework recorded, to rounding. */
import { ArtifactError } from '../../errors.js';
import {
  DEFAULT_TOLERANCE,
  type Measurement,
  type MeasureOptions,
  measureParity,
  type ParityOutput,
} from './measure.js';
import { openParitySamples } from './parity-samples.js';

export interface ParityOptions extends Omit<MeasureOptions, 'frozen'> {
  /** Path of the .npz file. */
  readonly samples: string;
  /** Inputs of the source that became constants. Default none. */
  readonly frozen?: MeasureOptions['frozen'];
  /** The same model before any rewrite: where the gate refuses, it tells whose fault it is. */
  readonly reference?: string;
}

export interface ParityReport extends Measurement {
  readonly samples: string;
  /** What a person should know: outputs that were not compared, or that a wrong model could have computed. */
  readonly notes: readonly string[];
  /** In one line. */
  readonly description: string;
}

/**
 * @param model path of an ONNX file
 * @throws ArtifactError PARITY_STRAYS naming the first output that strays; ConfigurationError PARITY_… where the samples do not fit the
 * model, DATA_… where they cannot be read
 */
export async function checkParity(model: string, options: ParityOptions): Promise<ParityReport> {
  const { samples: path, reference, frozen = {}, ...rest } = options;
  await using samples = await openParitySamples(path);
  const measured = await measureParity(model, samples, { ...rest, frozen });
  const straying = measured.outputs.filter(({ holds }) => !holds);
  const [first] = straying;
  if (first !== undefined) {
    const before = reference === undefined ? undefined : await measureParity(reference, samples, { ...rest, frozen });
    throw strays(path, first, straying.length, measured, before);
  }
  return { samples: path, ...measured, notes: notesOn(measured), description: descriptionOf(measured) };
}

function descriptionOf({ outputs }: Measurement): string {
  const worst = outputs.reduce((one, other) => (other.relativeError > one.relativeError ? other : one));
  const limits = [...new Set(outputs.map(({ tolerance }) => tolerance))];
  const limit = limits.length === 1 ? String(limits[0]) : 'a limit for each';
  const what = outputs.length === 1 ? `output '${worst.output}' is` : `${outputs.length} outputs are`;
  return worst.relativeError === 0
    ? `${what} equal to what the source computed, bit for bit`
    : `${what} within ${worst.relativeError.toExponential(1)} of what the source computed (max|Δ|/max|y|; allowed ${limit})`;
}

function notesOn({ outputs, notCompared }: Measurement): string[] {
  const constant = outputs.filter(({ isConstant }) => isConstant).map(({ output }) => `'${output}'`);
  return [
    ...(notCompared.length === 0
      ? []
      : [`not recorded, and not compared: ${notCompared.map((name) => `'${name}'`).join(', ')}`]),
    ...(constant.length === 0
      ? []
      : [`recorded with the same number in every element, which shows little: ${constant.join(', ')}`]),
  ];
}

function strays(
  path: string,
  first: ParityOutput,
  count: number,
  { outputs }: Measurement,
  before: Measurement | undefined,
): ArtifactError {
  const others = count === 1 ? '' : ` ${count} of ${outputs.length} outputs stray.`;
  const earlier = before?.outputs.find(({ output }) => output === first.output);
  const blame =
    earlier === undefined
      ? ''
      : earlier.holds
        ? ` Before any rewrite it was within ${earlier.relativeError.toExponential(1)}: a rewrite of cdk-onnx is at fault.`
        : ' So it did before any rewrite.';
  return new ArtifactError({
    code: 'PARITY_STRAYS',
    message: `Output '${first.output}' strays from what ${path} recorded: ${strayText(first)}.${others}${blame}`,
    advice:
      earlier?.holds === true
        ? 'Please report it with the model. Nothing was written.'
        : 'Check that the samples are of this model, computed as for inference. If so, record the outputs of its layers too and run `cdk-onnx convert … --check … --bisect`, which finds the first layer that strays. Nothing was written.',
  });
}

/** `max|Δ|/max|y| = 3.1e-2, allowed 0.0001; at [0, 3] it is 0.5 and should be 0.25` */
export function strayText({
  relativeError,
  worst,
  tolerance = DEFAULT_TOLERANCE,
}: Pick<ParityOutput, 'relativeError' | 'worst' | 'tolerance'>): string {
  const where =
    worst === undefined
      ? ''
      : `; at [${worst.index.join(', ')}] it is ${short(worst.computed)} and should be ${short(worst.recorded)}`;
  const error = Number.isFinite(relativeError) ? relativeError.toExponential(1) : 'infinite';
  return `max|Δ|/max|y| = ${error}, allowed ${tolerance}${where}`;
}

function short(value: number | string): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(Number(value.toPrecision(6)));
}
