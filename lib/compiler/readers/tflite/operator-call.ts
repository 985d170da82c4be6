/** One operator of a file, as the tables that lower it see it: its inputs as values, its options, its outputs' declarations. */
import type { TfliteOperator, TfliteTensor } from '../../formats/tflite/model.js';
import { type OptionsName, type OptionsOf, optionsAs } from '../../formats/tflite/options.js';
import { type ElementType, isFloatingPoint } from '../../ir/element-type.js';
import type { Dimension, Value } from '../../ir/value.js';
import type { GraphBuilder } from '../../lowering/graph-builder.js';
import { ReaderError } from '../reader-error.js';
import { elementTypeOf } from './constants.js';
import { applyActivation, boundsOf } from './fused-activation.js';
import { isQuantized, type QuantizedTensor, type RealBounds } from './quantization.js';
import type { TensorScope } from './tensor-scope.js';

export class OperatorCall {
  readonly builder: GraphBuilder;
  readonly operator: TfliteOperator;
  /** Whether values are those that are stored: the operator moves elements, and all of its tensors are quantized alike. */
  readonly movesStored: boolean;
  readonly scope: TensorScope;
  #bounds: RealBounds | undefined;

  constructor(scope: TensorScope, operator: TfliteOperator, movesStored: boolean) {
    this.builder = scope.builder;
    this.scope = scope;
    this.operator = operator;
    this.movesStored = movesStored;
  }

  /** For messages: "CONV_2D 'model/conv1/Conv2D' (operator 3)". */
  get place(): string {
    const [output] = this.operator.outputs;
    const name = output === undefined ? '' : this.scope.tensor(output).name;
    return `${this.operator.code} '${name}' (operator ${this.operator.index})`;
  }

  get inputCount(): number {
    return this.operator.inputs.length;
  }

  get outputCount(): number {
    return this.operator.outputs.length;
  }

  hasInput(index: number): boolean {
    return this.operator.inputs[index] !== undefined;
  }

  /** How the file declares input `index`. @throws ReaderError INPUT_MISSING */
  inputTensor(index: number): TfliteTensor {
    const tensor = this.operator.inputs[index];
    if (tensor !== undefined) return this.scope.tensor(tensor);
    throw this.error('INPUT_MISSING', `has no input ${index}`);
  }

  outputTensor(index = 0): TfliteTensor {
    const tensor = this.operator.outputs[index];
    if (tensor !== undefined) return this.scope.tensor(tensor);
    throw this.error('OUTPUT_MISSING', `has no output ${index}`);
  }

  /** Input `index`: real numbers, except where `movesStored`. @throws ReaderError INPUT_MISSING, TENSOR_UNDEFINED */
  input(index: number): Value {
    const tensor = this.inputTensor(index);
    return this.movesStored ? this.scope.stored(tensor) : this.scope.real(tensor);
  }

  /** @throws ReaderError ELEMENT_TYPE for integers that stand for nothing else */
  floatInput(index: number): Value {
    const value = this.input(index);
    const { elementType } = value;
    if (elementType !== undefined && isFloatingPoint(elementType)) return value;
    throw this.error('ELEMENT_TYPE', `takes input ${index} of type ${elementType}`);
  }

  /** An input that is integers: sizes, positions. As they are stored. */
  integers(index: number): Value {
    return this.scope.stored(this.inputTensor(index));
  }

  /** All inputs. */
  inputs(): Value[] {
    return this.operator.inputs.map((_, index) => this.input(index));
  }

  /** The numbers of an input that is a constant, else undefined. */
  constantNumbers(index: number): readonly number[] | undefined {
    if (!this.hasInput(index)) return undefined;
    const constant = this.scope.stored(this.inputTensor(index)).initializer;
    return constant === undefined ? undefined : constant.numbers();
  }

  /** @param what it says, for the message: "the axes" @throws ReaderError CONSTANT_NEEDED */
  requiredNumbers(index: number, what: string): readonly number[] {
    const numbers = this.constantNumbers(index);
    if (numbers !== undefined) return numbers;
    throw this.error(
      'CONSTANT_NEEDED',
      `computes ${what}, which must be known before the model runs`,
      'Export the model with fixed sizes.',
    );
  }

  /** @throws ReaderError OPTIONS_INVALID where the file has options of another operator */
  options<Name extends OptionsName>(name: Name): OptionsOf<Name> {
    const options = optionsAs(this.operator.options, name);
    if (options !== undefined) return options;
    throw this.error('OPTIONS_INVALID', `has options number ${this.operator.options?.number}, not ${name}`);
  }

  /** What holds an output's elements. */
  outputElementType(index = 0): ElementType {
    return elementTypeOf(this.outputTensor(index));
  }

  /** What the file says of an output's sizes: undefined for those that are open. */
  declaredShape(index = 0): readonly (number | undefined)[] {
    return declaredShape(this.outputTensor(index));
  }

  /** Where the first output is quantized. */
  get quantizedOutput(): QuantizedTensor | undefined {
    const [index] = this.operator.outputs;
    const tensor = index === undefined ? undefined : this.scope.tensor(index);
    return tensor !== undefined && isQuantized(tensor) ? tensor : undefined;
  }

  /**
   * `x` behind a fused activation. Where the output is quantized its bounds are left to the stored numbers.
   * @throws ReaderError ACTIVATION_UNSUPPORTED
   */
  activated(x: Value, activation: number): Value {
    if (activation === 0) return x;
    const bounds = boundsOf(activation);
    if (this.quantizedOutput !== undefined && bounds !== undefined) {
      this.#bounds = bounds;
      return x;
    }
    // Bounds below zero fit no number without a sign.
    const fits = x.elementType?.startsWith('u') !== true;
    const result = fits ? applyActivation(this.builder, x, activation) : undefined;
    if (result !== undefined) return result;
    throw this.error(
      'ACTIVATION_UNSUPPORTED',
      `has the fused activation ${activation}, which is not known of ${x.elementType}`,
    );
  }

  /** Of the fused activation, for the stored numbers. */
  get bounds(): RealBounds | undefined {
    return this.#bounds;
  }

  error(
    code: string,
    what: string,
    advice = 'The file is damaged or was written by a faulty exporter; export it again.',
  ) {
    return new ReaderError({ code, message: `${this.place} ${what}.`, advice });
  }
}

export function declaredShape({ shape, shapeSignature }: TfliteTensor): readonly (number | undefined)[] {
  return (shapeSignature ?? shape).map((size) => (size === -1 ? undefined : size));
}

/** A value's sizes, taken from what the file declares where the operators before it leave them open. */
export function refineShape(value: Value, declared: readonly (number | undefined)[]): void {
  const { type } = value;
  if (type?.kind !== 'tensor' || type.shape === undefined || type.shape.length !== declared.length) return;
  if (value.initializer !== undefined || !type.shape.includes(undefined)) return;
  const shape = type.shape.map((size, axis): Dimension => size ?? declared[axis]);
  value.type = { ...type, shape };
}
