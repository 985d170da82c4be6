/** A Keras model as plain data: layers, the calls that connect them, inputs and outputs; the same for every version of Keras. */
import { ReaderError } from '../reader-error.js';

export interface KerasModel {
  readonly name: string;
  /** 'Functional', 'Sequential', 'Model'. */
  readonly className: string;
  readonly layers: readonly KerasLayer[];
  /** Each an output of an InputLayer of `layers`. */
  readonly inputs: readonly NamedReference[];
  readonly outputs: readonly NamedReference[];
}

export interface KerasLayer {
  readonly className: string;
  /** No layer but a function that is called like one: of `keras.ops`, or TensorFlow's in Keras 2. Classes of both kinds share names. */
  readonly isOperation: boolean;
  /** Unique among the layers of its model. */
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** The same number in two places: one layer, with one set of weights. */
  readonly sharedId: number | undefined;
  /** What the layer is, where it is a model itself. */
  readonly model: KerasModel | undefined;
  readonly calls: readonly CallArguments[];
}

/** One call of a layer. Tensors among the arguments are `TensorReference`s; everything else is as in the file. */
export interface CallArguments {
  /** `lists` in files of Keras 1 and 2, `objects` in those of Keras 3. */
  readonly style: 'lists' | 'objects';
  readonly positional: readonly unknown[];
  readonly named: Readonly<Record<string, unknown>>;
}

/** An output of a layer's call. */
export class TensorReference {
  readonly layer: string;
  /** Which call of the layer, from 0. */
  readonly node: number;
  /** Which output of it. */
  readonly tensor: number;

  constructor(layer: string, node: number, tensor: number) {
    this.layer = layer;
    this.node = node;
    this.tensor = tensor;
  }
}

export interface NamedReference {
  readonly name: string;
  readonly reference: TensorReference;
}

/** `start:stop:step` between brackets. */
export class SliceArgument {
  readonly start: unknown;
  readonly stop: unknown;
  readonly step: unknown;

  constructor(start: unknown, stop: unknown, step: unknown) {
    this.start = start ?? null;
    this.stop = stop ?? null;
    this.step = step ?? null;
  }
}

/** `...` between brackets. */
export const ELLIPSIS = Symbol('...');

const MODEL_CLASSES = new Set(['Functional', 'Model', 'Sequential', 'Network', 'Container']);

export function isModelClass(className: string): boolean {
  return MODEL_CLASSES.has(className);
}

/** The tensors in an argument, in order. */
export function referencesIn(argument: unknown): readonly TensorReference[] {
  if (argument instanceof TensorReference) return [argument];
  if (typeof argument !== 'object' || argument === null) return [];
  return Object.values(argument).flatMap(referencesIn);
}

export function damaged(what: string): ReaderError {
  return new ReaderError({
    code: 'KERAS_CONFIG',
    message: `The model's config is not what Keras writes: ${what}.`,
    advice: 'The file is damaged, or was written by a Keras that is not known here; save the model again.',
  });
}
