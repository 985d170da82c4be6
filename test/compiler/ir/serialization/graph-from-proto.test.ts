import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  type ModelProto,
  ModelProtoSchema,
  TensorProtoSchema,
} from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { decodeModel } from '../../../../lib/compiler/formats/onnx/decode.js';
import { modelFromProto } from '../../../../lib/compiler/ir/serialization/from-proto.js';
import { modelToProto } from '../../../../lib/compiler/ir/serialization/to-proto.js';
import { floatTensor, graphAttribute, modelProto, nodeProto, valueInfo } from '../../../support/onnx-messages.js';
import { refusalOf } from '../../../support/refusal.js';

const read = (proto: ModelProto) => modelFromProto(decodeModel(toBinary(ModelProtoSchema, proto)));

describe('names become values', () => {
  test('a subgraph uses values of the graphs around it, and its own where both have a name', () => {
    const branch = {
      name: 'branch',
      node: [nodeProto('Relu', ['x'], ['hidden']), nodeProto('Add', ['hidden', 'shadowed'], ['sum'])],
      initializer: [floatTensor('shadowed', [1], [2])],
      output: [valueInfo('sum', [1])],
    };
    const model = read(
      modelProto({
        node: [
          nodeProto('If', ['c'], ['y'], {
            attribute: [graphAttribute('then_branch', branch), graphAttribute('else_branch', branch)],
          }),
        ],
        initializer: [floatTensor('shadowed', [1], [1])],
        input: [valueInfo('c', [], DataType.BOOL), valueInfo('x', [1])],
        output: [valueInfo('y', [1])],
      }),
    );
    const [, x] = model.graph.inputs;
    const [outer] = model.graph.initializers;
    const [node] = model.graph.nodes;
    expect(x?.uses.size).toBe(2);
    expect(outer?.uses.size).toBe(0);
    const branches = [...(node?.subgraphs() ?? [])].map(([, graph]) => graph);
    expect(branches.map((graph) => graph.parent)).toEqual([node, node]);
    expect(branches[0]?.nodes[1]?.input(1)?.initializer?.numbers()).toEqual([2]);
  });

  test('an initializer of an old file is also its input, and a caller may override it', () => {
    const model = read(
      modelProto(
        {
          node: [nodeProto('Add', ['x', 'w'], ['y'])],
          initializer: [floatTensor('w', [1], [1])],
          input: [valueInfo('x', [1]), valueInfo('w', ['N'])],
          output: [valueInfo('y', [1])],
        },
        { irVersion: 3n },
      ),
    );
    const [, w] = model.graph.inputs;
    expect(w?.initializer?.numbers()).toEqual([1]);
    expect(w?.type).toEqual({ kind: 'tensor', elementType: 'float32', shape: ['N'] });
    expect(model.graph.nodes[0]?.constantInput(1)).toBeUndefined();
    expect(modelToProto(model).irVersion).toBe(3n);
    // Frozen, it is no input any more, which files of version 3 cannot say.
    model.graph.setInputs(model.graph.inputs.slice(0, 1));
    expect(modelToProto(model).irVersion).toBe(4n);
    expect(modelToProto(model).graph?.input).toHaveLength(1);
  });

  test('left-out optional inputs and outputs are undefined and come back as empty names', () => {
    const model = read(
      modelProto({ node: [nodeProto('Clip', ['x', '', 'max'], ['', 'y'])], output: [valueInfo('y')] }),
    );
    const [node] = model.graph.nodes;
    expect(node?.inputs.map((value) => value?.name)).toEqual(['x', undefined, 'max']);
    expect(node?.outputs.map((value) => value?.name)).toEqual([undefined, 'y']);
    node?.setInput(2, undefined);
    expect(modelToProto(model).graph?.node[0]?.input).toEqual(['x', '', '']);
  });

  test('ai.onnx is the empty domain, in nodes and in opset imports; the spelling of the file is kept', () => {
    const model = read(
      modelProto(
        { node: [nodeProto('Relu', ['x'], ['y'], { domain: 'ai.onnx' })] },
        { opsetImport: [{ domain: 'ai.onnx', version: 17n }] },
      ),
    );
    expect(model.opset).toBe(17);
    expect(model.graph.nodes[0]?.is('Relu')).toBe(true);
    model.opsetImports.set('', 18);
    const written = modelToProto(model);
    expect(written.opsetImport.map(({ domain, version }) => [domain, version])).toEqual([['ai.onnx', 18n]]);
    expect(written.graph?.node[0]?.domain).toBe('ai.onnx');
  });

  test('symbolic dimensions keep their names; negative ones are unknown; types that are no tensors are carried along', () => {
    const proto = modelProto({ input: [valueInfo('x', ['batch', 3, -1, ''])], node: [], output: [] });
    proto.graph?.input.push(
      create(ModelProtoSchema, {
        graph: { input: [{ name: 's', type: { value: { case: 'sequenceType', value: {} } } }, { name: 'untyped' }] },
      }).graph?.input[0] as never,
    );
    const model = read(proto);
    const [x, sequence] = model.graph.inputs;
    expect(x?.type).toEqual({ kind: 'tensor', elementType: 'float32', shape: ['batch', 3, undefined, undefined] });
    expect(sequence?.type?.kind).toBe('opaque');
  });
});

describe('refused', () => {
  const withAttribute = (fields: MessageInitShape<typeof AttributeProtoSchema>) =>
    modelProto({ node: [nodeProto('Op', [], ['y'], { attribute: [create(AttributeProtoSchema, fields)] })] });

  test.each<[string, () => ModelProto, string, string]>([
    ['a model without a graph', () => create(ModelProtoSchema, { irVersion: 8n }), 'MODEL_WITHOUT_GRAPH', 'graph'],
    [
      'an IR version beyond numbers',
      () => modelProto({}, { irVersion: 2n ** 62n }),
      'MODEL_IR_VERSION',
      '4611686018427387904',
    ],
    ['a negative IR version', () => modelProto({}, { irVersion: -1n }), 'MODEL_IR_VERSION', '-1'],
    [
      'two versions of one domain',
      () => modelProto({}, { opsetImport: [{ version: 7n }, { domain: 'ai.onnx', version: 8n }] }),
      'OPSET_IMPORT',
      'ai.onnx',
    ],
    [
      'an unknown element type of an input',
      () => modelProto({ input: [valueInfo('x', [], 77)] }),
      'UNKNOWN_ELEMENT_TYPE',
      "'x' has the element type 77",
    ],
    [
      'an unknown element type of an initializer',
      () => modelProto({ initializer: [create(TensorProtoSchema, { name: 'w', dataType: 55 })] }),
      'UNKNOWN_ELEMENT_TYPE',
      "'w' has the element type 55",
    ],
    [
      'an unknown element type in an attribute',
      () => withAttribute({ name: 'value', type: AttributeType.TENSOR, t: { dataType: 55 } }),
      'UNKNOWN_ELEMENT_TYPE',
      "Attribute 'value' of Op 'y' has the element type 55",
    ],
    ['a dimension beyond numbers', () => modelProto({ input: [valueInfo('x', [2 ** 53])] }), 'VALUE_DIMENSION', "'x'"],
    [
      'a tensor attribute without a tensor',
      () => withAttribute({ name: 'value', type: AttributeType.TENSOR }),
      'ATTRIBUTE_VALUE',
      "'value' of Op 'y'",
    ],
    [
      'a graph attribute without a graph',
      () => withAttribute({ name: 'body', type: AttributeType.GRAPH }),
      'ATTRIBUTE_VALUE',
      "'body' of Op 'y'",
    ],
    ['an attribute of no type and no value', () => withAttribute({ name: 'a' }), 'ATTRIBUTE_VALUE', "'a' of Op 'y'"],
    [
      'an attribute of no type and two values',
      () => withAttribute({ name: 'a', i: 1n, f: 1 }),
      'ATTRIBUTE_VALUE',
      "'a' of Op 'y'",
    ],
    [
      'an attribute that is there twice',
      () =>
        modelProto({
          node: [
            nodeProto('Op', [], ['y'], {
              attribute: [
                create(AttributeProtoSchema, { name: 'a', i: 1n }),
                create(AttributeProtoSchema, { name: 'a', i: 1n }),
              ],
            }),
          ],
        }),
      'DUPLICATE_ATTRIBUTE',
      "Op 'y'",
    ],
  ])('%s', async (_what, proto, code, place) => {
    const error = await refusalOf(() => read(proto()));
    expect(error.code).toBe(code);
    expect(error.message).toContain(place);
  });

  test('an unknown attribute type, by its number', async () => {
    const proto = withAttribute({ name: 'a', type: 300 as AttributeType, i: 1n });
    const error = await refusalOf(() => read(proto));
    expect(error.code).toBe('UNKNOWN_ATTRIBUTE_TYPE');
    expect(error.message).toContain("attribute 'a' of Op 'y' has the type 300");
  });

  test('an attribute of version 1 of the format names no type: its value tells', () => {
    const model = read(withAttribute({ name: 'axis', i: 0n }));
    expect(model.graph.nodes[0]?.int('axis')).toBe(0);
    const written = modelToProto(model).graph?.node[0]?.attribute[0];
    expect(Object.hasOwn(written ?? {}, 'type')).toBe(false);
  });
});
