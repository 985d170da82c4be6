/** Recorded samples: what a source framework computed, as arrays `inputs/<name>`, `outputs/<name>` and `layers/<name>` of a .npz file. */
import { ConfigurationError } from '../../errors.js';
import { type NumpyArray, openNumpyFile } from '../data/numpy-file.js';

export interface ParitySamples extends AsyncDisposable {
  /** For messages. */
  readonly path: string;
  readonly inputs: ReadonlyMap<string, NumpyArray>;
  readonly outputs: ReadonlyMap<string, NumpyArray>;
  /** Outputs of layers inside the model. */
  readonly layers: ReadonlyMap<string, NumpyArray>;
}

/** Of inputs and outputs together: they are held in memory. */
const MAX_BYTES = 2 ** 30;

export type ParityErrorCode =
  | 'PARITY_ARRAY_UNKNOWN'
  | 'PARITY_EMPTY'
  | 'PARITY_TOO_LARGE'
  | 'PARITY_INPUT_MISSING'
  | 'PARITY_INPUT_UNKNOWN'
  | 'PARITY_OUTPUT_UNKNOWN'
  | 'PARITY_FROZEN'
  | 'PARITY_SHAPE'
  | 'PARITY_TYPE'
  | 'PARITY_LAYERS_MISSING';

export function parityError(code: ParityErrorCode, message: string, advice: string): ConfigurationError {
  return new ConfigurationError({ code, message, advice });
}

/**
 * Only headers are read.
 * @throws ConfigurationError DATA_… for a file that cannot be read, PARITY_ARRAY_UNKNOWN, PARITY_EMPTY, PARITY_TOO_LARGE
 */
export async function openParitySamples(path: string): Promise<ParitySamples> {
  const file = await openNumpyFile(path, path, 'npz');
  try {
    const found = { inputs: new Map<string, NumpyArray>(), outputs: new Map(), layers: new Map() };
    for (const array of file.arrays) {
      const [, kind, name = ''] = /^(inputs|outputs|layers)\/(.+)$/s.exec(array.name) ?? [];
      if (kind === undefined) {
        throw parityError(
          'PARITY_ARRAY_UNKNOWN',
          `${path} holds an array '${array.name}', which is none of inputs/<name>, outputs/<name> and layers/<name>.`,
          'Save the arrays under such names: numpy.savez(path, **{"inputs/image": x, "outputs/scores": y}).',
        );
      }
      found[kind as keyof typeof found].set(name, array);
    }
    if (found.outputs.size === 0) {
      throw parityError(
        'PARITY_EMPTY',
        `${path} holds no array outputs/<name>: there is nothing to compare with.`,
        'Record at least one output of the source model, with the inputs that it was computed from.',
      );
    }
    const bytes = [...found.inputs.values(), ...found.outputs.values()].reduce(
      (sum, array) => sum + array.bytes.length,
      0,
    );
    if (bytes > MAX_BYTES) {
      throw parityError(
        'PARITY_TOO_LARGE',
        `${path} holds ${bytes} bytes of inputs and outputs; at most ${MAX_BYTES} are compared.`,
        'Record fewer samples: a handful shows whether a conversion is right.',
      );
    }
    return { path, ...found, [Symbol.asyncDispose]: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}
