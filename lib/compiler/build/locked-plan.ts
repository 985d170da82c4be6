/** A plan as a lock keeps it: recipes and ranges in JSON, weights in safetensors. */
import { join } from 'node:path';
import { sha256 } from '../../artifact/digest.js';
import { type ArchitectureLock, LOCK_WEIGHTS_FILE, type LockedWeight } from '../../artifact/lock.js';
import type { IntegerType, QuantizationParameters } from '../../artifact/recipe.js';
import { ConfigurationError } from '../../errors.js';
import { SafetensorsFile, type SafetensorsTensor, type SafetensorsType } from '../formats/safetensors.js';
import type { ElementType } from '../ir/element-type.js';
import { Tensor } from '../ir/tensor.js';
import type { QuantizationPlan, QuantizedWeight } from '../quantize/plan.js';

const ELEMENT_TYPES: Readonly<Partial<Record<ElementType, SafetensorsType>>> = {
  float32: 'F32',
  float16: 'F16',
  int8: 'I8',
  uint8: 'U8',
  int16: 'I16',
  uint16: 'U16',
  int32: 'I32',
  int64: 'I64',
};

/** How the integers of a type are stored, an element each, and the least and greatest of them. */
const INTEGERS: Readonly<Record<IntegerType, readonly [stored: ElementType, least: number, greatest: number]>> = {
  int8: ['int8', -128, 127],
  uint8: ['uint8', 0, 255],
  int16: ['int16', -32_768, 32_767],
  uint16: ['uint16', 0, 65_535],
  int4: ['int8', -8, 7],
  uint4: ['uint8', 0, 15],
};

/** Digits of a digest that tell apart what architectures store under the same tensor's name. */
const DIGEST_DIGITS = 16;

export interface StoredPlan {
  readonly locked: Pick<ArchitectureLock, 'recipes' | 'activations' | 'weights'>;
  /** For LOCK_WEIGHTS_FILE, by `LockedWeight.stored`. */
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
}

export function storePlan({ recipes, activations, weights, quantizedWeights }: QuantizationPlan): StoredPlan {
  const tensors = new Map<string, SafetensorsTensor>();
  const store = (name: string, tensor: Tensor, parameters?: QuantizationParameters): LockedWeight => {
    const dataType = ELEMENT_TYPES[tensor.elementType];
    if (dataType === undefined) throw new TypeError(`a lock stores no ${tensor.elementType} weights`);
    const content = { dataType, shape: tensor.dims, bytes: tensor.bytes() };
    const digest = sha256(`${dataType} ${tensor.dims.join()} ${sha256(content.bytes)}`).slice(0, DIGEST_DIGITS);
    const stored = `${name}#${digest}`;
    tensors.set(stored, content);
    return { tensor: name, stored, ...(parameters === undefined ? {} : { parameters }) };
  };
  const locked = [
    ...[...weights].map(([name, tensor]) => store(name, tensor)),
    ...[...quantizedWeights].map(([name, { integers, parameters }]) => store(name, integers, parameters)),
  ];
  return { locked: { recipes, activations, weights: locked }, tensors };
}

/**
 * The plan of an architecture's lock, its weights read from beside the lock.
 * @throws ConfigurationError LOCK_INVALID for weights that are absent or do not fit; ModelFormatError SAFETENSORS_INVALID
 */
export async function loadPlan(directory: string, lock: ArchitectureLock): Promise<QuantizationPlan> {
  const weights = new Map<string, Tensor>();
  const quantizedWeights = new Map<string, QuantizedWeight>();
  if (lock.weights.length > 0) {
    const path = join(directory, LOCK_WEIGHTS_FILE);
    await using file = await openWeights(path);
    for (const { tensor: name, stored, parameters } of lock.weights) {
      const entry = file.entries.get(stored);
      if (entry === undefined) throw unfit(path, `it has no '${stored}'`);
      const tensor = new Tensor(elementTypeOf(entry.dataType), entry.shape, {
        kind: 'bytes',
        bytes: await file.read(entry),
      });
      if (parameters === undefined) weights.set(name, tensor);
      else {
        const fault = faultOf(tensor, parameters);
        if (fault !== undefined) throw unfit(path, `'${stored}' ${fault}`);
        quantizedWeights.set(name, { integers: tensor, parameters });
      }
    }
  }
  return { recipes: lock.recipes, activations: lock.activations, weights, quantizedWeights };
}

async function openWeights(path: string): Promise<SafetensorsFile> {
  try {
    return await SafetensorsFile.open(path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') throw unfit(path, 'it is not there');
    throw cause;
  }
}

/** Integers that their type cannot hold would be packed into their neighbours. */
function faultOf(integers: Tensor, { dataType, scale, axis }: QuantizationParameters): string | undefined {
  const [stored, least, greatest] = INTEGERS[dataType];
  if (integers.elementType !== stored) return `holds ${integers.elementType} and should hold ${dataType}`;
  // Several without an axis are those of blocks; that there is one for each, the scheme sees.
  const areBlocks = axis === undefined && scale.length > 1;
  if (areBlocks && (stored !== 'uint8' || scale.length > integers.count)) {
    return `has ${scale.length} scales of blocks for ${integers.count} elements of ${dataType}`;
  }
  const size = axis === undefined ? 1 : integers.dims.at(axis);
  if (!areBlocks && scale.length !== size) return `has ${scale.length} scales for ${size ?? 'no'} channels`;
  const typed = integers.typed();
  for (let index = 0; index < typed.length; index++) {
    const value = Number(typed[index]);
    if (value < least || value > greatest) return `holds ${value}, which is no ${dataType}`;
  }
  return undefined;
}

function elementTypeOf(dataType: SafetensorsType): ElementType {
  const [found] = Object.entries(ELEMENT_TYPES).find(([, stored]) => stored === dataType) ?? [];
  return found as ElementType;
}

function unfit(path: string, what: string): ConfigurationError {
  return new ConfigurationError({
    code: 'LOCK_INVALID',
    message: `${path} does not fit the lock beside it: ${what}.`,
    advice: 'Restore both files from the same commit, or make them again with `cdk-onnx optimize`.',
  });
}
