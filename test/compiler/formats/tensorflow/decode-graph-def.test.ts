import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeGraphDef } from '../../../../lib/compiler/formats/tensorflow/decode-graph-def.js';
import type { TensorFlowTensor } from '../../../../lib/compiler/formats/tensorflow/graph-def.js';
import {
  GraphDefSchema,
  TensorProtoSchema,
} from '../../../../lib/compiler/formats/tensorflow/protocol/tensorflow_pb.js';
import { refusalOf } from '../../../support/refusal.js';

type Graph = MessageInitShape<typeof GraphDefSchema>;
type TensorInit = Exclude<MessageInitShape<typeof TensorProtoSchema>, { $unknown?: unknown } & { $typeName: string }>;

const decode = (graph: Graph) => decodeGraphDef(toBinary(GraphDefSchema, create(GraphDefSchema, graph)));
const constant = (tensor: TensorInit): TensorFlowTensor => {
  const graph = decode({
    node: [
      {
        name: 'c',
        op: 'Const',
        attr: [{ key: 'value', value: { value: { case: 'tensor', value: create(TensorProtoSchema, tensor) } } }],
      },
    ],
  });
  const value = graph.nodes[0]?.attributes.get('value');
  if (value?.kind !== 'tensor') throw new Error('no tensor');
  return value.value;
};
const shape = (...dims: number[]) => ({ dim: dims.map((size) => ({ size: BigInt(size) })) });
const floats = (bytes: Uint8Array) => [...new Float32Array(bytes.slice().buffer)];

describe('nodes', () => {
  test('their inputs and attributes of every kind', () => {
    const [node] = decode({
      node: [
        {
          name: 'a/b',
          op: 'Op',
          input: ['x', 'y:1', '^z'],
          attr: [
            { key: 's', value: { value: { case: 's', value: Uint8Array.of(104) } } },
            { key: 'i', value: { value: { case: 'i', value: -5n } } },
            { key: 'f', value: { value: { case: 'f', value: 0.5 } } },
            { key: 'b', value: { value: { case: 'b', value: false } } },
            { key: 'type', value: { value: { case: 'type', value: 19 } } },
            { key: 'ref', value: { value: { case: 'type', value: 101 } } },
            { key: 'shape', value: { value: { case: 'shape', value: shape(-1, 3) } } },
            { key: 'unknown', value: { value: { case: 'shape', value: { unknownRank: true } } } },
            { key: 'placeholder', value: { value: { case: 'placeholder', value: 'T' } } },
            { key: 'ints', value: { value: { case: 'list', value: { i: [1n, 2n] } } } },
            { key: 'empty', value: { value: { case: 'list', value: {} } } },
            {
              key: 'func',
              value: {
                value: {
                  case: 'func',
                  value: { name: 'f', attr: [{ key: 'N', value: { value: { case: 'i', value: 3n } } }] },
                },
              },
            },
            { key: 'nothing', value: {} },
            { key: '__proto__', value: { value: { case: 'i', value: 1n } } },
          ],
        },
      ],
    }).nodes;
    expect(node?.inputs).toEqual(['x', 'y:1', '^z']);
    expect(Object.fromEntries([...(node?.attributes ?? [])].filter(([key]) => key !== '__proto__'))).toEqual({
      s: { kind: 'string', value: Uint8Array.of(104) },
      i: { kind: 'int', value: -5n },
      f: { kind: 'float', value: 0.5 },
      b: { kind: 'bool', value: false },
      type: { kind: 'type', value: 'half' },
      ref: { kind: 'type', value: 'float_ref' },
      shape: { kind: 'shape', value: [-1, 3] },
      unknown: { kind: 'shape', value: undefined },
      placeholder: { kind: 'placeholder', name: 'T' },
      ints: {
        kind: 'list',
        values: [
          { kind: 'int', value: 1n },
          { kind: 'int', value: 2n },
        ],
      },
      empty: { kind: 'list', values: [] },
      func: { kind: 'function', name: 'f', attributes: new Map([['N', { kind: 'int', value: 3n }]]) },
    });
    expect(node?.attributes.get('__proto__')).toEqual({ kind: 'int', value: 1n });
  });
});

describe('constants', () => {
  test('raw bytes are a view on the file', () => {
    const proto = create(GraphDefSchema, {
      node: [
        {
          op: 'Const',
          attr: [
            {
              key: 'value',
              value: {
                value: {
                  case: 'tensor',
                  value: { dtype: 1, tensorShape: shape(2), tensorContent: new Uint8Array(8).fill(7) },
                },
              },
            },
          ],
        },
      ],
    });
    const bytes = toBinary(GraphDefSchema, proto);
    const value = decodeGraphDef(bytes).nodes[0]?.attributes.get('value');
    expect(value?.kind === 'tensor' && value.value.bytes.buffer === bytes.buffer).toBe(true);
    const buffer = decodeGraphDef(Buffer.from(bytes)).nodes[0]?.attributes.get('value');
    expect(buffer?.kind === 'tensor' && buffer.value.bytes.constructor).toBe(Uint8Array);
  });

  test.each<[string, TensorInit, number[]]>([
    ['one number for all', { dtype: 1, tensorShape: shape(2, 3), floatVal: [2] }, [2, 2, 2, 2, 2, 2]],
    ['the last one repeated', { dtype: 1, tensorShape: shape(5), floatVal: [1, 2] }, [1, 2, 2, 2, 2]],
    ['none: zeros', { dtype: 1, tensorShape: shape(3) }, [0, 0, 0]],
    ['a scalar', { dtype: 1, floatVal: [4] }, [4]],
    ['more than there is room for', { dtype: 1, tensorShape: shape(1), floatVal: [4, 5] }, [4]],
    ['nothing', { dtype: 1, tensorShape: shape(0), floatVal: [4] }, []],
  ])('%s', (_what, tensor, expected) => {
    expect(floats(constant(tensor).bytes)).toEqual(expected);
  });

  test.each<[string, TensorInit, number[]]>([
    ['double', { dtype: 2, doubleVal: [1] }, [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]],
    ['int32', { dtype: 3, intVal: [-2] }, [0xfe, 0xff, 0xff, 0xff]],
    ['uint8', { dtype: 4, intVal: [200] }, [200]],
    ['int16', { dtype: 5, intVal: [-2] }, [0xfe, 0xff]],
    ['int8', { dtype: 6, intVal: [-2] }, [0xfe]],
    ['complex64', { dtype: 8, scomplexVal: [1, 2] }, [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40]],
    ['int64', { dtype: 9, int64Val: [-2n] }, [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['bool', { dtype: 10, tensorShape: shape(2), boolVal: [true, false] }, [1, 0]],
    ['half', { dtype: 19, halfVal: [0x3c00] }, [0, 0x3c]],
    ['bfloat16', { dtype: 14, halfVal: [0x3f80] }, [0x80, 0x3f]],
    ['uint32', { dtype: 22, uint32Val: [2 ** 32 - 1] }, [255, 255, 255, 255]],
    ['uint64', { dtype: 23, uint64Val: [2n ** 64n - 1n] }, new Array(8).fill(255)],
    ['float8_e5m2', { dtype: 24, tensorShape: shape(3), float8Val: Uint8Array.of(1, 2) }, [1, 2, 2]],
    ['half a complex number', { dtype: 8, tensorShape: shape(2), scomplexVal: [1] }, new Array(16).fill(0)],
  ])('of type %s', (_type, tensor, expected) => {
    expect([...constant(tensor).bytes]).toEqual(expected);
  });

  test('texts, the last one repeated too', () => {
    const { strings } = constant({ dtype: 7, tensorShape: shape(3), stringVal: [Uint8Array.of(1), Uint8Array.of(2)] });
    expect(strings).toEqual([Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(2)]);
  });
});

describe('functions', () => {
  test('their arguments, bodies and returns', () => {
    const { functions } = decode({
      library: {
        function: [
          {
            signature: {
              name: 'f',
              inputArg: [
                { name: 'x', type: 1 },
                { name: 'y', typeAttr: 'T' },
              ],
              outputArg: [{ name: 'z', type: 3 }],
            },
            nodeDef: [{ name: 'n', op: 'Neg', input: ['x'] }],
            ret: [{ key: 'z', value: 'n:y:0' }],
            controlRet: [{ key: 'print', value: 'print' }],
            attr: [{ key: 'api_implements', value: { value: { case: 's', value: new Uint8Array() } } }],
          },
        ],
      },
    });
    expect(functions.get('f')).toEqual({
      name: 'f',
      inputs: [
        { name: 'x', dataType: 'float' },
        { name: 'y', dataType: 'type_0', typeAttribute: 'T' },
      ],
      outputs: [{ name: 'z', dataType: 'int32' }],
      nodes: [{ name: 'n', op: 'Neg', inputs: ['x'], attributes: new Map() }],
      returns: new Map([['z', 'n:y:0']]),
      controlReturns: ['print'],
      attributes: new Map([['api_implements', { kind: 'string', value: new Uint8Array() }]]),
    });
  });
});

describe('refused', () => {
  const code = async (act: () => unknown) => (await refusalOf(act)).code;

  test('an empty file, one that is cut, one of another kind', async () => {
    expect(await code(() => decodeGraphDef(new Uint8Array()))).toBe('MODEL_EMPTY');
    const error = await refusalOf(() => decodeGraphDef(Uint8Array.of(10, 9, 1)));
    expect(error.code).toBe('PROTOBUF_TRUNCATED');
    expect(error.message).toContain('Not a valid TensorFlow GraphDef file');
    expect(error.message).toContain('GraphDef.node[0]');
  });

  test.each<[string, TensorInit, string]>([
    [
      'fewer raw bytes than its shape asks for',
      { dtype: 1, tensorShape: shape(2), tensorContent: new Uint8Array(4) },
      'TENSOR_SIZE',
    ],
    [
      'a number repeated beyond memory',
      { dtype: 1, tensorShape: shape(2 ** 20, 2 ** 20), floatVal: [1] },
      'TENSOR_SIZE',
    ],
    ['texts repeated beyond memory', { dtype: 7, tensorShape: shape(2 ** 30) }, 'TENSOR_SIZE'],
    ['negative sizes', { dtype: 1, tensorShape: shape(-1) }, 'TENSOR_SHAPE'],
    ['an unknown rank', { dtype: 1, tensorShape: { unknownRank: true } }, 'TENSOR_SHAPE'],
    ['more elements than numbers count', { dtype: 1, tensorShape: shape(2 ** 40, 2 ** 40) }, 'TENSOR_SHAPE'],
  ])('%s', async (_what, tensor, expected) => {
    const error = await refusalOf(() => constant(tensor).bytes);
    expect(error.code).toBe(expected);
    expect(error.message).toContain("Const 'c', attribute value");
  });

  test('what many small constants ask for together', async () => {
    const many = decode({
      node: Array.from({ length: 5 }, () => ({
        op: 'Const',
        attr: [
          {
            key: 'value',
            value: {
              value: { case: 'tensor' as const, value: { dtype: 4, tensorShape: shape(2 ** 26), intVal: [0] } },
            },
          },
        ],
      })),
    });
    const read = () =>
      many.nodes.map(({ attributes }) => {
        const value = attributes.get('value');
        return value?.kind === 'tensor' ? value.value.bytes.length : 0;
      });
    expect(await code(read)).toBe('TENSOR_SIZE');
  });

  test('two functions of one name, arguments that are lists', async () => {
    const fn = { signature: { name: 'f' } };
    expect(await code(() => decode({ library: { function: [fn, fn] } }))).toBe('FUNCTION_DUPLICATE');
    const list = { signature: { name: 'f', inputArg: [{ name: 'x', numberAttr: 'N' }] } };
    expect(await code(() => decode({ library: { function: [list] } }))).toBe('FUNCTION_ARGUMENT');
  });

  test('any bytes: a graph or a code', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeGraphDef(bytes);
        } catch (error) {
          expect((error as { code?: string }).code).toMatch(/^(PROTOBUF|TENSOR|FUNCTION|MODEL)_/);
          expect((error as { code?: string }).code).not.toBe('PROTOBUF_DECODE');
        }
      }),
      { numRuns: 2000 },
    );
  });
});
