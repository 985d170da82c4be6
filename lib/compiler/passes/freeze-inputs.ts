/** Fixes what callers may choose: dimensions to numbers, whole inputs to constants, and defaults that are never overridden. */
import { ConfigurationError } from '../../errors.js';
import type { Graph } from '../ir/graph.js';
import type { Model } from '../ir/model.js';
import { Tensor } from '../ir/tensor.js';
import { forEachGraph } from '../ir/traversal.js';
import type { Dimension, Value, ValueType } from '../ir/value.js';
import { allowConstants } from './allow-constants.js';
import type { ImmediatePass } from './pass.js';

export interface InputOverride {
  /**
   * Dimensions by position: a number fixes one, a text names it, null leaves it as it is. A number for a dimension that has a name fixes
   * that name everywhere in the model.
   */
  readonly shape?: readonly (number | string | null)[] | undefined;
  /**
   * A constant in place of the input, which leaves the signature: one number for a scalar or for every element of a static shape, or all
   * elements in order.
   */
  readonly value?: number | readonly number[] | undefined;
}

/** Elements that one number may fill. */
const MAXIMUM_FILL = 1 << 24;

export interface FreezeInputsOptions {
  /** By input name, as `inputs` of model.json. Default: none. */
  readonly inputs?: Readonly<Record<string, InputOverride>>;
}

/**
 * Beside the overrides, initializers that are listed as inputs become constants: files before IR version 4 had to list them all.
 * The pass throws ConfigurationError INPUT_UNKNOWN, INPUT_SHAPE or INPUT_VALUE for an override that does not fit the model, before it
 * changes anything.
 */
export function freezeInputs(options: FreezeInputsOptions = {}): ImmediatePass {
  return {
    name: 'freeze-inputs',
    run(model) {
      const overrides = Object.entries(options.inputs ?? {}).map(([name, override]) => ({
        value: inputNamed(model.graph, name),
        override,
      }));
      const sizes = new Map<string, number>();
      for (const { value, override } of overrides) collectSizes(value, override, sizes);
      const constants = overrides.flatMap(({ value, override }) =>
        override.value === undefined ? [] : [{ value, tensor: constantFor(value, override.value, sizes) }],
      );
      let modified = substituteSizes(model, sizes);
      for (const { value, override } of overrides) modified = reshape(value, override, sizes) || modified;
      for (const { value, tensor } of constants) {
        value.initializer = tensor;
        value.type = { kind: 'tensor', elementType: tensor.elementType, shape: tensor.dims };
        model.graph.initializers.add(value);
      }
      const { inputs } = model.graph;
      const remaining = inputs.filter((value) => value.initializer === undefined);
      if (remaining.length < inputs.length) {
        model.graph.setInputs(remaining);
        allowConstants(model);
        modified = true;
      }
      return { modified };
    },
  };
}

function inputNamed(graph: Graph, name: string): Value {
  const found = graph.inputs.find((value) => value.name === name);
  if (found !== undefined) return found;
  const names = graph.inputs.filter((value) => value.initializer === undefined).map((value) => `'${value.name}'`);
  throw new ConfigurationError({
    code: 'INPUT_UNKNOWN',
    message: `The model has no input '${name}'.`,
    advice: `Name one of its inputs: ${names.join(', ')}.`,
  });
}

function shapeOf(value: Value): readonly Dimension[] | undefined {
  return value.type?.kind === 'tensor' ? value.type.shape : undefined;
}

/** Notes the numbers that an override gives to named dimensions. */
function collectSizes(value: Value, override: InputOverride, sizes: Map<string, number>): void {
  if (override.shape === undefined) return;
  const shape = shapeOf(value);
  if (value.type?.kind !== 'tensor' || (shape !== undefined && shape.length !== override.shape.length)) {
    throw shapeError(value, override.shape, 'it has another rank');
  }
  for (const [axis, size] of override.shape.entries()) {
    const dimension = shape?.[axis];
    if (typeof dimension === 'number' && size !== null && size !== dimension) {
      throw shapeError(value, override.shape, `dimension ${axis} is fixed to ${dimension}`);
    }
    if (typeof size !== 'number' || typeof dimension !== 'string') continue;
    const before = sizes.get(dimension);
    if (before !== undefined && before !== size) {
      throw shapeError(value, override.shape, `dimension '${dimension}' would be ${before} and ${size}`);
    }
    sizes.set(dimension, size);
  }
}

function shapeError(value: Value, wanted: readonly (number | string | null)[], why: string): ConfigurationError {
  const shape = shapeOf(value)
    ?.map((dim) => dim ?? '?')
    .join(', ');
  return new ConfigurationError({
    code: 'INPUT_SHAPE',
    message: `Input '${value.name}' of shape [${shape ?? 'unknown rank'}] cannot have the shape [${wanted.map((dim) => dim ?? 'null').join(', ')}]: ${why}.`,
    advice: 'Give one entry for each dimension of the input, null for those that should stay as they are.',
  });
}

function resolve(dimension: Dimension, sizes: ReadonlyMap<string, number>): Dimension {
  return typeof dimension === 'string' ? (sizes.get(dimension) ?? dimension) : dimension;
}

/** Every value that names one of the dimensions gets its number. */
function substituteSizes(model: Model, sizes: ReadonlyMap<string, number>): boolean {
  if (sizes.size === 0) return false;
  let modified = false;
  const substitute = (value: Value | undefined) => {
    if (value?.type?.kind !== 'tensor' || !value.type.shape?.some((dim) => typeof dim === 'string' && sizes.has(dim)))
      return;
    value.type = { ...value.type, shape: value.type.shape.map((dim) => resolve(dim, sizes)) };
    modified = true;
  };
  forEachGraph(model.graph, (graph) => {
    graph.inputs.forEach(substitute);
    for (const node of graph.nodes) node.outputs.forEach(substitute);
  });
  return modified;
}

/** Dimensions without a name, and new names. */
function reshape(value: Value, override: InputOverride, sizes: ReadonlyMap<string, number>): boolean {
  if (override.shape === undefined || value.type?.kind !== 'tensor') return false;
  const before = value.type.shape;
  const shape = override.shape.map((size, axis) => size ?? resolve(before?.[axis], sizes));
  if (before !== undefined && shape.every((size, axis) => size === before[axis])) return false;
  const type: ValueType = { ...value.type, shape };
  value.type = type;
  return true;
}

function constantFor(value: Value, elements: number | readonly number[], sizes: ReadonlyMap<string, number>): Tensor {
  const fail = (why: string, cause?: unknown) =>
    new ConfigurationError({
      code: 'INPUT_VALUE',
      message: `Input '${value.name}' cannot be frozen to ${JSON.stringify(elements)}: ${why}.`,
      advice: 'Give all elements in order, or one number for a scalar.',
      cause,
    });
  if (value.type?.kind !== 'tensor') throw fail('it is no tensor');
  const numbers = typeof elements === 'number' ? [elements] : elements;
  const shape = shapeOf(value)?.map((dim) => resolve(dim, sizes)) ?? (typeof elements === 'number' ? [] : [undefined]);
  const known = shape
    .filter((dim): dim is number => typeof dim === 'number')
    .reduce((product, dim) => product * dim, 1);
  const open = shape.filter((dim) => typeof dim !== 'number').length;
  // One dimension may follow from the number of elements.
  const rest = open === 1 && known > 0 ? numbers.length / known : undefined;
  if (open > 1 || (open === 1 && !Number.isInteger(rest))) throw fail('its shape does not follow from that');
  const dims = shape.map((dim) => (typeof dim === 'number' ? dim : (rest ?? 0)));
  const count = dims.reduce((product, dim) => product * dim, 1);
  if (typeof elements === 'number' && count > MAXIMUM_FILL) throw fail(`it would fill ${count} elements`);
  if (numbers.length !== count && typeof elements !== 'number')
    throw fail(`it has ${count} elements and got ${numbers.length}`);
  const filled = typeof elements === 'number' ? new Array<number>(count).fill(elements) : elements;
  try {
    return Tensor.fromNumbers(value.type.elementType, dims, filled);
  } catch (cause) {
    throw fail(`the numbers do not fit its element type, ${value.type.elementType}`, cause);
  }
}
