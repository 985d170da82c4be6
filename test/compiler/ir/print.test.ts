import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType,
  TensorProtoSchema,
} from 'onnx-buf';
import { expect, test } from 'vitest';
import { printable, printModel } from '../../../lib/compiler/ir/print.js';
import { modelFromProto } from '../../../lib/compiler/ir/serialization/from-proto.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { floatTensor, graphAttribute, modelProto, nodeProto, valueInfo } from '../../support/onnx-messages.js';
import { realModels } from '../../support/real-models.js';

test('every form of the grammar', () => {
  const text = (value: string) => new TextEncoder().encode(value);
  const branch = {
    name: 'then branch',
    initializer: [floatTensor('half', [], [0.5])],
    node: [nodeProto('Mul', ['x', 'half'], ['r'])],
    output: [valueInfo('r', ['batch', 3])],
  };
  const model = modelFromProto(
    modelProto(
      {
        name: 'main',
        initializer: [
          floatTensor('few', [2], [0.1, -0]),
          floatTensor('many', [3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
          create(TensorProtoSchema, {
            name: 'words',
            dims: [1n],
            dataType: TensorProto_DataType.STRING,
            stringData: [text('né')],
          }),
          create(TensorProtoSchema, {
            name: 'long',
            dims: [1n],
            dataType: TensorProto_DataType.INT64,
            int64Data: [2n ** 63n - 1n],
          }),
        ],
        input: [
          valueInfo('x', ['batch', 3]),
          valueInfo('c', [], TensorProto_DataType.BOOL),
          { name: 'untyped' } as never,
        ],
        output: [valueInfo('y', [-1])],
        node: [
          nodeProto('Clip', ['x', '', 'few'], ['a'], {}),
          nodeProto('If', ['c'], ['b'], { attribute: [graphAttribute('then_branch', branch)] }),
          nodeProto('Own', ['a', 'b'], ['', 'y'], {
            domain: 'local',
            overload: 'v2',
            name: 'not printed',
            attribute: [
              create(AttributeProtoSchema, { name: 'zeta', type: AttributeType.FLOAT, f: Math.fround(0.1) }),
              create(AttributeProtoSchema, { name: 'alpha', type: AttributeType.INTS, ints: [1n, -1n] }),
              create(AttributeProtoSchema, { name: 'mode', type: AttributeType.STRING, s: text('a "quote"') }),
              create(AttributeProtoSchema, {
                name: 'list',
                type: AttributeType.INTS,
                ints: Array.from({ length: 40 }, (_, i) => BigInt(i)),
              }),
            ],
          }),
        ],
      },
      {
        opsetImport: [{ version: 17n }, { domain: 'local', version: 1n }],
        functions: [
          {
            name: 'Own',
            domain: 'local',
            overload: 'v2',
            input: ['p', 'q'],
            output: ['r'],
            opsetImport: [{ version: 17n }],
            node: [
              nodeProto('Elu', ['p'], ['r'], {
                attribute: [
                  create(AttributeProtoSchema, { name: 'alpha', type: AttributeType.FLOAT, refAttrName: 'zeta' }),
                ],
              }),
            ],
          },
        ],
      },
    ),
  );
  expect(printModel(model)).toMatchInlineSnapshot(`
    "model ir 8, ai.onnx 17, local 1
    graph main(%x: float32[batch,3], %c: bool[], %untyped) {
      %few = float32[2] [0.1, -0]
      %many = float32[3,3] #ab9c5f1bce35
      %words = string[1] ["né"]
      %long = int64[1] [9223372036854775807]
      %a = Clip(%x, _, %few)
      %b = If<then_branch="then branch"() {
        %half = float32[] [0.5]
        %r = Mul(%x, %half)
        return %r: float32[batch,3]
      }>(%c)
      _, %y = local.Own:v2<alpha=[1, -1], list=[40 elements #2fa27ed10e93], mode="a \\"quote\\"", zeta=0.1>(%a, %b)
      return %y: float32[?]
    }
    function local.Own:v2(%p, %q) {
      %r = Elu<alpha=@zeta>(%p)
      return %r
    }
    "
  `);
});

test('a real model', async () => {
  const lines = printModel(await readOnnx(realModels.blazefaceFront)).split('\n');
  expect(lines.slice(0, 4)).toMatchInlineSnapshot(`
    [
      "model ir 7, ai.onnx 12",
      "graph tf2onnx(%input:0: float32[1,128,128,3]) {",
      "  %const_fold_opt__269__280 = int64[8] [0, 0, 0, 0, 0, 4, 0, 0]",
      "  %const_fold_opt__266__276 = int64[8] [0, 0, 0, 0, 0, 8, 0, 0]",
    ]
  `);
  expect(lines.filter((line) => line.includes(' = Conv<')).slice(0, 1)).toMatchInlineSnapshot(`
    [
      "  %StatefulPartitionedCall/functional_1/conv2d/BiasAdd:0 = Conv<dilations=[1, 1], kernel_shape=[5, 5], pads=[1, 1, 2, 2], strides=[2, 2]>(%StatefulPartitionedCall/functional_1/conv2d/BiasAdd__11:0, %StatefulPartitionedCall/functional_1/conv2d/Conv2D/ReadVariableOp:0, %StatefulPartitionedCall/functional_1/conv2d/BiasAdd/ReadVariableOp:0)",
    ]
  `);
});

test('one changed weight changes one line', async () => {
  const before = printModel(await readOnnx(realModels.blazefaceFront)).split('\n');
  const model = await readOnnx(realModels.blazefaceFront);
  const [value] = [...model.graph.initializers].filter(({ initializer }) => (initializer?.count ?? 0) > 100);
  const bytes = value?.initializer?.bytes();
  if (bytes !== undefined) bytes[17] = (bytes[17] ?? 0) ^ 1;
  const after = printModel(model).split('\n');
  expect(after.filter((line, index) => line !== before[index])).toHaveLength(1);
});

test('names cannot steer a terminal', () => {
  expect(printable('\x1b[2J\u202egnp\u2028ok 模型')).toBe('\\u{1b}[2J\\u{202e}gnp\\u{2028}ok 模型');
  const model = modelFromProto(modelProto({ name: '\x1b]0;owned\x07', output: [valueInfo('y\x9b31m')] }));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
  expect(printModel(model)).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
});
