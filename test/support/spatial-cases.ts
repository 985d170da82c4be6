/** The cases of test/fixtures/conversion/spatial, written through the tables of layers or straight through lowering/. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Model } from '../../lib/compiler/ir/model.js';
import type { Tensor } from '../../lib/compiler/ir/tensor.js';
import type { Dimension, Value } from '../../lib/compiler/ir/value.js';
import { GraphBuilder } from '../../lib/compiler/lowering/graph-builder.js';
import { LoweringError } from '../../lib/compiler/lowering/lowering-error.js';
import { shapeOf, shapeText } from '../../lib/compiler/lowering/shape.js';
import type { LayerTable, LayerWeights } from '../../lib/compiler/readers/keras/layer.js';
import { LayerConfig } from '../../lib/compiler/readers/keras/layer-config.js';
import { type ConversionFixture, readConversionFixture } from './conversion-fixture.js';

export interface LayerCase {
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly input: string;
  /** The input that is Keras's mask of it. */
  readonly mask?: string;
}

export interface OperatorCase {
  readonly function: string;
  /** After the builder and the input; `{ constant: name }` stands for one. */
  readonly arguments: readonly unknown[];
  readonly input: string;
}

export interface SpatialFixture<Case> extends ConversionFixture {
  readonly cases: Readonly<Record<string, Case>>;
}

export async function readSpatialFixture<Case>(family: string): Promise<SpatialFixture<Case>> {
  const prefix = fileURLToPath(new URL(`../fixtures/conversion/spatial/${family}`, import.meta.url));
  const fixture = await readConversionFixture(prefix);
  return { ...fixture, cases: JSON.parse(readFileSync(`${prefix}.cases.json`, 'utf8')) };
}

/** Which sizes the model's inputs have: those of the fixture, an open batch, or all open but the channels. */
export type Openness = 'none' | 'batch' | 'sizes';

/** One model with an output for each case, the part of the fixture that it is to meet, and the cases that need sizes which are open. */
export function modelOfCases<Case extends { readonly input: string; readonly mask?: string }>(
  fixture: SpatialFixture<Case>,
  openness: Openness,
  write: (builder: GraphBuilder, name: string, each: Case, x: Value, mask?: Value) => Value,
): { readonly model: Model; readonly expected: ConversionFixture; readonly refused: readonly string[] } {
  const builder = new GraphBuilder();
  const inputs = new Map<string, Value>();
  const outputs: { name: string; value: Value }[] = [];
  const refused: string[] = [];
  const input = (name: string): Value => {
    const tensor = fixture.inputs[name];
    if (tensor === undefined) throw new Error(`no input '${name}'`);
    const { elementType, dims } = tensor;
    const value = inputs.get(name) ?? builder.input(name, { elementType, shape: openShape(name, dims, openness) });
    inputs.set(name, value);
    return value;
  };
  for (const [name, each] of Object.entries(fixture.cases)) {
    const x = input(each.input);
    const mask = each.mask === undefined ? undefined : input(each.mask);
    try {
      const value = builder.scope(name, () => write(builder, name, each, x, mask));
      checkShape(name, value, fixture.outputs[name]);
      outputs.push({ name, value });
    } catch (error) {
      if (!(error instanceof LoweringError) || error.code !== 'SIZE_UNKNOWN') throw error;
      refused.push(name);
    }
  }
  const model = builder.finish(outputs);
  const kept = <Type>(record: Readonly<Record<string, Type>>, names: Iterable<string>) =>
    Object.fromEntries(
      [...names].flatMap((name) => (record[name] === undefined ? [] : [[name, record[name] as Type]])),
    );
  return {
    model,
    refused,
    expected: {
      ...fixture,
      inputs: kept(fixture.inputs, inputs.keys()),
      outputs: kept(
        fixture.outputs,
        outputs.map(({ name }) => name),
      ),
    },
  };
}

/** What the graph says of a shape must hold. */
function checkShape(name: string, value: Value, recorded: Tensor | undefined): void {
  const shape = shapeOf(value);
  const holds = recorded?.dims.every((size, axis) => typeof shape[axis] !== 'number' || shape[axis] === size);
  if (holds && shape.length === recorded?.dims.length) return;
  throw new Error(`${name}: [${shapeText(shape)}] in place of [${recorded?.dims}]`);
}

function openShape(name: string, dims: readonly number[], openness: Openness): Dimension[] {
  if (openness === 'none') return [...dims];
  const channels = name.endsWith('_first') ? 1 : dims.length - 1;
  return dims.map((size, axis) => {
    // Not the same for all, for they have batches of different sizes.
    if (axis === 0) return `${name}_N`;
    return openness === 'sizes' && axis !== channels ? `${name}_dim${axis}` : size;
  });
}

/** Through a table of layers, with the weights that the fixture has for the case. */
export function writeLayer(fixture: SpatialFixture<LayerCase>, table: LayerTable) {
  return (builder: GraphBuilder, name: string, { className, config }: LayerCase, x: Value, mask?: Value): Value => {
    const lower = table[className];
    if (lower === undefined) throw new Error(`no layer ${className}`);
    const outputs = lower({
      builder,
      className,
      path: name,
      config: new LayerConfig(config, `${className} '${name}'`),
      inputs: [mask === undefined ? { value: x } : { value: x, mask }],
      callArguments: {},
      weights: weightsOf(fixture, name),
      kerasMajorVersion: 3,
      lowerLayer: () => {
        throw new Error(`${className} wraps no layer`);
      },
    });
    const [output] = outputs;
    if (output === undefined) throw new Error(`${name} has no output`);
    return output.value;
  };
}

function weightsOf(fixture: ConversionFixture, name: string): LayerWeights {
  return {
    take: <Name extends string>(names: readonly Name[]) =>
      Object.fromEntries(names.map((each, index) => [each, fixture.layers[`${name}/${index}`] as Tensor])) as Readonly<
        Record<Name, Tensor>
      >,
    child: () => {
      throw new Error(`${name} owns no layer`);
    },
  };
}

/** Straight through functions of lowering/. */
export function writeOperator(
  fixture: SpatialFixture<OperatorCase>,
  functions: Readonly<Record<string, (builder: GraphBuilder, x: Value, ...rest: never[]) => Value>>,
) {
  return (builder: GraphBuilder, name: string, each: OperatorCase, x: Value): Value => {
    const lower = functions[each.function];
    if (lower === undefined) throw new Error(`no function ${each.function}`);
    const constants = (argument: unknown): unknown => {
      if (typeof argument !== 'object' || argument === null || Array.isArray(argument)) return argument;
      if ('constant' in argument) {
        const tensor = fixture.layers[`${name}/${argument.constant}`];
        if (tensor === undefined) throw new Error(`${name}: no constant ${argument.constant}`);
        return builder.constant(tensor, String(argument.constant));
      }
      return Object.fromEntries(Object.entries(argument).map(([key, value]) => [key, constants(value)]));
    };
    return lower(builder, x, ...(each.arguments.map(constants) as never[]));
  };
}
