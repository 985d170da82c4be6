/** Tensors full of the values that go wrong. */
import type { ElementType } from '../../lib/compiler/ir/element-type.js';
import { numberToFloat16 } from '../../lib/compiler/ir/float16.js';
import { elementCount, Tensor } from '../../lib/compiler/ir/tensor.js';
import type { Choices } from './random-graph/choices.js';

const FLOAT_EDGES = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  2.5,
  -2.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  1e-45,
  -1e-40,
  3.4028234663852886e38,
  16777217,
  2147483648,
  -2147483648,
  4294967295.5,
  9.2e18,
  255.7,
  -128.9,
  65519.99,
  65520,
  1.0009765625,
  1.00048828125,
  6e-8,
  3e-5,
];
const BIG_EDGES = [
  2n ** 63n - 1n,
  -(2n ** 63n),
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 31n,
  -(2n ** 31n) - 1n,
  2n ** 24n + 1n,
  2n ** 62n + 2n ** 38n,
  2n ** 62n + 2n ** 38n + 1n,
];

/** Ranges of the integers up to 32 bits. */
const RANGES: Readonly<Partial<Record<ElementType, readonly [number, number]>>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
};

export function edgeTensor(choices: Choices, elementType: ElementType, dims: readonly number[]): Tensor {
  const count = elementCount(dims);
  const list = <T>(element: () => T): T[] => Array.from({ length: count }, element);
  const edgeFloat = () => (choices.chance(0.4) ? choices.of(FLOAT_EDGES) : choices.float() * choices.of([1, 3, 100]));
  switch (elementType) {
    case 'float32':
    case 'float64':
      return Tensor.fromNumbers(elementType, dims, list(edgeFloat));
    case 'float16':
      return Tensor.fromTyped('float16', dims, Uint16Array.from(list(edgeFloat), numberToFloat16));
    case 'bool':
      return Tensor.fromNumbers(
        'bool',
        dims,
        list(() => choices.integer(0, 1)),
      );
    case 'string': {
      const strings = list(() => new TextEncoder().encode(choices.of(['', 'a', 'ä', '日本', 'aa'])));
      return new Tensor('string', dims, { kind: 'strings', strings });
    }
    case 'int64':
      return Tensor.fromTyped('int64', dims, BigInt64Array.from(list(() => bigint(choices))));
    case 'uint64':
      return Tensor.fromTyped('uint64', dims, BigUint64Array.from(list(() => bigint(choices))));
    default: {
      const [low, high] = RANGES[elementType] ?? [0, 0];
      const integer = () =>
        choices.chance(0.3) ? choices.of([low, high, 0]) : Math.min(high, Math.max(low, choices.integer(-9, 9)));
      return Tensor.fromNumbers(elementType, dims, list(integer));
    }
  }
}

function bigint(choices: Choices): bigint {
  return choices.chance(0.3) ? choices.of(BIG_EDGES) : BigInt(choices.integer(-9, 9));
}
