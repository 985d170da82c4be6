/** Layers that make one tensor of several. */
import type { Value } from '../../../ir/value.js';
import { batchDot } from '../../../lowering/batch-dot.js';
import { type BinaryOperator, binary, variadic, where } from '../../../lowering/elementwise.js';
import { elementTypeOf } from '../../../lowering/graph-builder.js';
import { unitNormalization } from '../../../lowering/normalization.js';
import { concat, unsqueeze } from '../../../lowering/rearrange.js';
import { reduceBool } from '../../../lowering/reduce.js';
import { normalizedAxis, rankOf, shapeOf } from '../../../lowering/shape.js';
import { ReaderError } from '../../reader-error.js';
import type { LayerCall, LayerLowering, LayerTable, LayerTensor } from '../layer.js';

/** Element by element, from the first on; tensors of fewer dimensions get ones behind the batch, and lose their masks. */
function elementwise(combine: (call: LayerCall, inputs: readonly LayerTensor[]) => Value): LayerLowering {
  return (call) => {
    const { inputs } = call;
    if (inputs.length === 0) throw inputsError(call, 'at least one');
    const rank = Math.max(...inputs.map(({ value }) => rankOf(value)));
    const equal = inputs.map((input) => {
      return rankOf(input.value) === rank ? input : { value: ranked(call, input.value, rank) };
    });
    const mask = combinedMask(call);
    return [{ value: combine(call, equal), ...(mask === undefined ? {} : { mask }) }];
  };
}

function ranked({ builder }: LayerCall, value: Value, rank: number): Value {
  const missing = rank - rankOf(value);
  return unsqueeze(
    builder,
    value,
    Array.from({ length: missing }, (_, index) => index + 1),
  );
}

function folded(operator: BinaryOperator): LayerLowering {
  return elementwise(({ builder }, inputs) => {
    return inputs.map(({ value }) => value).reduce((left, right) => binary(builder, operator, left, right));
  });
}

/** Keras 3 leaves masked steps out: they count as 1, and where all inputs have masks, steps that all of them mask become 0. */
const multiply = elementwise((call, inputs) => {
  const { builder } = call;
  const values = inputs.map(({ value, mask }) => {
    if (mask === undefined || call.kerasMajorVersion !== 3) return value;
    return where(builder, unsqueeze(builder, mask, [-1]), value, builder.scalar(1, elementTypeOf(value)));
  });
  const product = values.reduce((left, right) => binary(builder, 'Mul', left, right));
  const known = combinedMask({ ...call, inputs });
  if (known === undefined || call.kerasMajorVersion !== 3) return product;
  return where(builder, unsqueeze(builder, known, [-1]), product, builder.scalar(0, elementTypeOf(product)));
});

/** Keras 3 takes the other's element in the place of a masked one. */
function extreme(operator: 'Max' | 'Min'): LayerLowering {
  return elementwise(({ builder, kerasMajorVersion }, inputs) => {
    if (kerasMajorVersion !== 3) {
      return variadic(
        builder,
        operator,
        inputs.map(({ value }) => value),
      );
    }
    const merged = inputs.reduce((before, { value, mask }): LayerTensor => {
      const right = chosen(value, mask, before.value);
      const left = chosen(before.value, before.mask, right);
      const both =
        before.mask === undefined || mask === undefined ? {} : { mask: binary(builder, 'Or', before.mask, mask) };
      return { value: variadic(builder, operator, [left, right]), ...both };
    });
    return merged.value;

    function chosen(value: Value, mask: Value | undefined, other: Value): Value {
      return mask === undefined ? value : where(builder, unsqueeze(builder, mask, [-1]), value, other);
    }
  });
}

/** Keras 3 knows a step where any input does, if all have masks; Keras 2 where all that have masks do. */
function combinedMask({ builder, inputs, kerasMajorVersion }: LayerCall): Value | undefined {
  const masks = inputs.flatMap(({ mask }) => (mask === undefined ? [] : [mask]));
  if (kerasMajorVersion === 3 && masks.length < inputs.length) return undefined;
  const [first, ...rest] = masks;
  return rest.reduce<Value | undefined>((all, mask) => {
    return all === undefined ? mask : binary(builder, kerasMajorVersion === 3 ? 'Or' : 'And', all, mask);
  }, first);
}

const average = elementwise(({ builder }, inputs) => {
  const sum = inputs.map(({ value }) => value).reduce((left, right) => binary(builder, 'Add', left, right));
  return binary(builder, 'Div', sum, builder.scalar(inputs.length, elementTypeOf(sum)));
});

const subtract: LayerLowering = (call) => {
  if (call.inputs.length !== 2) throw inputsError(call, 'two');
  return folded('Sub')(call);
};

const concatenate: LayerLowering = (call) => {
  const { builder, config, inputs } = call;
  const [first] = inputs;
  if (first === undefined) throw inputsError(call, 'at least one');
  const axis = normalizedAxis(config.number('axis', -1), rankOf(first.value));
  const value = concat(
    builder,
    inputs.map((input) => input.value),
    axis,
  );
  const mask = concatenatedMask(call, axis);
  return [{ value, ...(mask === undefined ? {} : { mask }) }];
};

/** Masks as wide as their tensors, joined as these are; a step is known where any of its features is (in Keras 2: all are). */
function concatenatedMask({ builder, inputs, kerasMajorVersion }: LayerCall, axis: number): Value | undefined {
  if (inputs.every(({ mask }) => mask === undefined)) return undefined;
  const masks = inputs.map(({ value, mask }) => wideMask(value, mask));
  return reduceBool(builder, kerasMajorVersion === 3 ? 'any' : 'all', concat(builder, masks, axis), [-1], false);

  function wideMask(value: Value, mask: Value | undefined): Value {
    const shape = builder.node('Shape', [value], { elementType: 'int64', shape: [rankOf(value)] });
    const type = { elementType: 'bool' as const, shape: shapeOf(value) };
    if (mask === undefined) return builder.node('Expand', [builder.scalar(1, 'bool'), shape], type);
    if (rankOf(mask) >= rankOf(value)) return mask;
    return builder.node('Expand', [unsqueeze(builder, mask, [-1]), shape], type);
  }
}

/** Keras's batch_dot: sums over one axis of each, batch by batch; with `normalize`, of vectors of length 1 along these axes. */
const dot: LayerLowering = (call) => {
  const { builder, config, inputs, kerasMajorVersion } = call;
  const [a, b] = inputs;
  if (a === undefined || b === undefined || inputs.length !== 2) throw inputsError(call, 'two');
  const [left = 0, right = 0] = config.integers('axes', 2);
  const axes = [normalizedAxis(left, rankOf(a.value)), normalizedAxis(right, rankOf(b.value))] as const;
  if (axes.includes(0)) throw config.refuse('axes', 'The batch, axis 0, cannot be summed over.');
  // Keras 2 adds its epsilon, 1e-12, to the square.
  const minimum = kerasMajorVersion === 3 ? 1e-7 : 1e-6;
  const normalized = (value: Value, axis: number) => {
    return config.boolean('normalize', false) ? unitNormalization(builder, value, [axis], minimum) : value;
  };
  return [{ value: batchDot(builder, normalized(a.value, axes[0]), normalized(b.value, axes[1]), axes) }];
};

function inputsError({ config, inputs }: LayerCall, takes: string): ReaderError {
  return new ReaderError({
    code: 'LAYER_INPUTS',
    message: `${config.describes} is called with ${inputs.length} tensors and takes ${takes}.`,
    advice: 'The file is damaged, or was written by a Keras that is not known here; save the model again.',
  });
}

export const mergeLayers: LayerTable = {
  Add: folded('Add'),
  Average: average,
  Concatenate: concatenate,
  Dot: dot,
  Maximum: extreme('Max'),
  Minimum: extreme('Min'),
  Multiply: multiply,
  Subtract: subtract,
};
