/** What an op's lowering is given and gives back: the contract between the walk over a graph and the tables of ops. */
import type { NodeDef } from '../../formats/tensorflow/graph-def.js';
import { Value } from '../../ir/value.js';
import { elementTypeOf, type GraphBuilder } from '../../lowering/graph-builder.js';
import { knownNumbers } from '../../lowering/known-elements.js';
import type { Complex } from '../../lowering/spectral.js';
import { ReaderError } from '../reader-error.js';
import { NodeAttributes } from './node-attributes.js';

/** What flows between ops. ONNX runs nothing on complex numbers: they are two real tensors. */
export type Operand = Value | Complex;

/** What comes out of a branch that is not taken: an op that reads it is not run. */
export const DEAD: Operand = new Value('dead');

export function isComplex(operand: Operand): operand is Complex {
  return 'real' in operand;
}

/** Writes a function's body where it is called, in the builder's graph: the values that it returns, in order. */
export type CallFunction = (builder: GraphBuilder, name: string, args: readonly Operand[]) => readonly Operand[];

export class OpCall {
  readonly builder: GraphBuilder;
  readonly node: NodeDef;
  readonly attributes: NodeAttributes;
  /** Data inputs, in order; control inputs are dropped. */
  readonly operands: readonly Operand[];
  readonly callFunction: CallFunction;

  constructor(builder: GraphBuilder, node: NodeDef, operands: readonly Operand[], callFunction: CallFunction) {
    this.builder = builder;
    this.node = node;
    this.attributes = new NodeAttributes(node);
    this.operands = operands;
    this.callFunction = callFunction;
  }

  /** Every input as a plain tensor. @throws ReaderError OP_COMPLEX */
  get inputs(): readonly Value[] {
    return this.operands.map((_, index) => this.input(index));
  }

  /** @throws ReaderError OP_INPUTS where the node has no such input, OP_COMPLEX */
  input(index: number): Value {
    const operand = this.operand(index);
    if (!isComplex(operand)) return operand;
    throw this.refuse(
      'OP_COMPLEX',
      'of complex numbers is not supported',
      'Take real and imaginary parts or the magnitude before it.',
    );
  }

  operand(index: number): Operand {
    const operand = this.operands[index < 0 ? index + this.operands.length : index];
    if (operand !== undefined) return operand;
    throw this.refuse('OP_INPUTS', `has ${this.operands.length} inputs and needs more`, DAMAGED);
  }

  /** The elements of an input, which must be constants. @throws ReaderError OP_INPUT_OPEN */
  numbers(index: number, what: string): readonly number[] {
    const numbers = knownNumbers(this.input(index));
    if (numbers !== undefined) return numbers;
    throw this.refuse(
      'OP_INPUT_OPEN',
      `computes its ${what} at run time, which ONNX needs to know before`,
      'Export the model with constants there, and with fixed sizes where the value comes from a shape.',
    );
  }

  /** An input of one element. @throws ReaderError OP_INPUT_OPEN */
  number(index: number, what: string): number {
    const [number] = this.numbers(index, what);
    if (number !== undefined) return number;
    throw this.refuse('OP_INPUTS', `has no ${what}`, DAMAGED);
  }

  /** A constant scalar of the type of an input. */
  scalarLike(index: number, number: number): Value {
    return this.builder.scalar(number, elementTypeOf(this.input(index)));
  }

  /** An error about this node. @param clause goes on after the op and its name: "of complex numbers is not supported" */
  refuse(code: string, clause: string, advice: string): ReaderError {
    return new ReaderError({ code, message: `${this.describe()} ${clause}.`, advice });
  }

  describe(): string {
    return `${this.node.op} '${this.node.name}'`;
  }
}

const DAMAGED = 'The file is damaged or was written by a faulty exporter; export the model again.';

/** One op onto lowering/: its outputs in TensorFlow's order. undefined stands for one that is not lowered: nothing may read it. */
export type OpLowering = (call: OpCall) => Operand | readonly (Operand | undefined)[];

/** By TensorFlow's op type. */
export type OpTable = Readonly<Record<string, OpLowering>>;
