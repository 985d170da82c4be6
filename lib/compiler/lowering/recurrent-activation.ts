/** The activations of recurrent layers: a formula, and what ONNX's recurrent operators call it where they have it. */
import { type Attribute, attribute } from '../ir/attribute.js';
import type { Value } from '../ir/value.js';
import { type ActivationOptions, activation, hardSigmoidSlope } from './activation.js';
import type { GraphBuilder } from './graph-builder.js';

export interface RecurrentActivation {
  readonly apply: (builder: GraphBuilder, x: Value) => Value;
  readonly operator?: OperatorActivation;
}

interface OperatorActivation {
  readonly name: string;
  readonly alpha?: number;
  readonly beta?: number;
}

/** @param name as Keras serializes it. @throws LoweringError ACTIVATION_UNKNOWN, when it is applied */
export function recurrentActivation(name: string, options: ActivationOptions = {}): RecurrentActivation {
  const operator = operatorActivation(name, options);
  return {
    apply: (builder, x) => activation(builder, name, x, options),
    ...(operator === undefined ? {} : { operator }),
  };
}

function operatorActivation(name: string, options: ActivationOptions): OperatorActivation | undefined {
  switch (name) {
    case 'tanh':
      return { name: 'Tanh' };
    case 'sigmoid':
      return { name: 'Sigmoid' };
    case 'relu':
      return { name: 'Relu' };
    case 'hard_sigmoid':
      return { name: 'HardSigmoid', alpha: hardSigmoidSlope(options), beta: 0.5 };
    case 'linear':
      return { name: 'Affine', alpha: 1, beta: 0 };
    case 'softsign':
      return { name: 'Softsign' };
    case 'elu':
      return { name: 'Elu', alpha: 1 };
    case 'leaky_relu':
      return { name: 'LeakyRelu', alpha: 0.2 };
    default:
      return undefined;
  }
}

/** @returns undefined where ONNX's operators lack one of them */
export function activationAttributes(
  activations: readonly RecurrentActivation[],
): Readonly<Record<string, Attribute>> | undefined {
  const operators = activations.flatMap(({ operator }) => (operator === undefined ? [] : [operator]));
  if (operators.length < activations.length) return undefined;
  const numbers = (which: 'alpha' | 'beta') =>
    operators.flatMap((operator) => {
      const number = operator[which];
      return number === undefined ? [] : [number];
    });
  const [alphas, betas] = [numbers('alpha'), numbers('beta')];
  return {
    activations: attribute.strings(operators.map(({ name }) => name)),
    ...(alphas.length === 0 ? {} : { activation_alpha: attribute.floats(alphas) }),
    ...(betas.length === 0 ? {} : { activation_beta: attribute.floats(betas) }),
  };
}
