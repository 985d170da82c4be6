import { create, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  type ModelProto,
  ModelProtoSchema,
} from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { decodeModel } from '../../../../lib/compiler/formats/onnx/decode.js';
import { attribute } from '../../../../lib/compiler/ir/attribute.js';
import { Graph } from '../../../../lib/compiler/ir/graph.js';
import { Model } from '../../../../lib/compiler/ir/model.js';
import { Node } from '../../../../lib/compiler/ir/node.js';
import { modelFromProto } from '../../../../lib/compiler/ir/serialization/from-proto.js';
import { modelToProto } from '../../../../lib/compiler/ir/serialization/to-proto.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { Value } from '../../../../lib/compiler/ir/value.js';
import { everyField } from '../../../support/every-field.js';
import {
  floatTensor,
  graphAttribute,
  modelProto,
  nodeProto,
  reluModel,
  valueInfo,
} from '../../../support/onnx-messages.js';

const read = (proto: ModelProto) => modelFromProto(decodeModel(toBinary(ModelProtoSchema, proto)));

test('a model with everything that the format has comes back to the byte', () => {
  const proto = everyField();
  const bytes = toBinary(ModelProtoSchema, proto);
  expect(Buffer.compare(modelToBytes(modelFromProto(decodeModel(bytes))), bytes)).toBe(0);
});

test('what a change does not concern stays: renaming one value leaves every other byte of the model', () => {
  const proto = everyField();
  const model = read(proto);
  const output = model.graph.nodes[0]?.output(0);
  if (output !== undefined) output.name = 'renamed';
  const written = decodeModel(modelToBytes(model));
  const graph = proto.graph;
  if (graph === undefined) throw new Error('no graph');
  const rename = (infos: { name: string }[]) => {
    for (const info of infos) if (info.name === 'a') info.name = 'renamed';
  };
  rename(graph.output);
  rename(graph.valueInfo);
  const first = graph.node[0];
  if (first !== undefined) first.output[0] = 'renamed';
  expect(toBinary(ModelProtoSchema, written)).toEqual(toBinary(ModelProtoSchema, proto));
});

test('messages that were read are never changed by writing', () => {
  const proto = decodeModel(toBinary(ModelProtoSchema, reluModel()));
  const before = toBinary(ModelProtoSchema, proto);
  const model = modelFromProto(proto);
  for (const node of model.graph.nodes) node.name = 'changed';
  model.opsetImports.set('', 18);
  model.irVersion = 9;
  modelToBytes(model);
  expect(toBinary(ModelProtoSchema, proto)).toEqual(before);
});

describe('what changed is written', () => {
  test('a value that is input and output has a message for each, and both follow it', () => {
    const output = valueInfo('x', ['M']);
    output.docString = 'passed through';
    const model = read(
      modelProto({ node: [nodeProto('Relu', ['x'], ['y'])], input: [valueInfo('x', ['N'])], output: [output] }),
    );
    const [x] = model.graph.inputs;
    expect(modelToProto(model).graph?.output).toEqual([output]);
    if (x !== undefined) x.name = 'renamed';
    const { graph } = modelToProto(model);
    expect(graph?.input.map(({ name }) => name)).toEqual(['renamed']);
    expect(graph?.output).toMatchObject([{ name: 'renamed', docString: 'passed through' }]);
    expect(graph?.output[0]?.type).toEqual(output.type);
  });

  test('a new type of a value, in place of its old one; a value that got one is added', () => {
    const model = read(
      modelProto({
        node: [nodeProto('Relu', ['x'], ['a']), nodeProto('Relu', ['a'], ['b']), nodeProto('Relu', ['b'], ['y'])],
        input: [valueInfo('x', ['N', 2])],
        output: [valueInfo('y', ['N', 2])],
        valueInfo: [valueInfo('b', ['N', 2])],
      }),
    );
    for (const value of [model.graph.inputs[0], ...model.graph.nodes.map((node) => node.output())]) {
      if (value !== undefined) value.type = { kind: 'tensor', elementType: 'float32', shape: [1, 2] };
    }
    const { graph } = read(modelToProto(model));
    expect(modelToProto(model).graph?.valueInfo.map(({ name }) => name)).toEqual(['b', 'a']);
    for (const value of [graph.inputs[0], ...graph.nodes.map((node) => node.output())])
      expect(value?.staticShape).toEqual([1, 2]);
  });

  test('an initializer of another type takes its stale value_info along', () => {
    const model = read(
      modelProto({
        node: [nodeProto('Add', ['x', 'w'], ['y'])],
        initializer: [floatTensor('w', [2], [1, 2])],
        input: [valueInfo('x', [2])],
        output: [valueInfo('y', [2])],
        valueInfo: [valueInfo('w', [2])],
      }),
    );
    const [w] = model.graph.initializers;
    if (w !== undefined) w.initializer = Tensor.fromNumbers('float16', [1, 2], [1, 2]);
    const [info] = modelToProto(model).graph?.valueInfo ?? [];
    expect(info?.type?.value).toMatchObject({ case: 'tensorType', value: { elemType: DataType.FLOAT16 } });
  });

  test('value_info of a value that is gone goes with it', () => {
    const model = read(
      modelProto({
        node: [nodeProto('Relu', ['x'], ['a']), nodeProto('Relu', ['x'], ['y'])],
        input: [valueInfo('x', [1])],
        output: [valueInfo('y', [1])],
        valueInfo: [valueInfo('a', [1]), valueInfo('nobody', [1])],
      }),
    );
    const [first] = model.graph.nodes;
    if (first !== undefined) model.graph.remove(first);
    expect(modelToProto(model).graph?.valueInfo.map(({ name }) => name)).toEqual(['nobody']);
    model.graph.nodes[0]?.setOutputs([...(model.graph.nodes[0]?.outputs ?? []), new Value('nobody')]);
    expect(modelToProto(model).graph?.valueInfo).toEqual([]);
  });

  test('attributes: a changed one in its place, a new one at the end, a removed one not', () => {
    const model = read(
      modelProto({
        node: [
          nodeProto('Conv', ['x', 'w'], ['y'], {
            attribute: [
              create(AttributeProtoSchema, { name: 'group', type: AttributeType.INT, i: 1n, docString: 'kept' }),
              create(AttributeProtoSchema, { name: 'pads', type: AttributeType.INTS, ints: [0n, 0n] }),
              create(AttributeProtoSchema, { name: 'auto_pad', type: AttributeType.STRING, s: new Uint8Array([65]) }),
            ],
          }),
        ],
      }),
    );
    const [node] = model.graph.nodes;
    node?.attributes.set('group', { ...attribute.int(2), origin: node.attributes.get('group')?.origin } as never);
    node?.attributes.set('pads', attribute.ints([1, 1]));
    node?.attributes.delete('auto_pad');
    node?.attributes.set('alpha', attribute.float(0.5));
    const written = modelToProto(model).graph?.node[0]?.attribute ?? [];
    expect(written.map(({ name }) => name)).toEqual(['group', 'pads', 'alpha']);
    expect(written[0]).toMatchObject({ i: 2n, docString: 'kept', type: AttributeType.INT });
    expect(written[1]).toMatchObject({ ints: [1n, 1n], type: AttributeType.INTS });
    expect(written[2]).toMatchObject({ f: 0.5, type: AttributeType.FLOAT });
  });

  test('a change deep inside a subgraph reaches the file', () => {
    const inner = { name: 'inner', node: [nodeProto('Relu', ['x'], ['r'])], output: [valueInfo('r', [1])] };
    const model = read(
      modelProto({
        node: [nodeProto('If', ['c'], ['y'], { attribute: [graphAttribute('then_branch', inner)] })],
        output: [valueInfo('y')],
      }),
    );
    for (const [, graph] of model.graph.nodes[0]?.subgraphs() ?? [])
      for (const node of graph.nodes) node.opType = 'Sigmoid';
    expect(modelToProto(model).graph?.node[0]?.attribute[0]?.g?.node[0]?.opType).toBe('Sigmoid');
  });

  test('a model made from nothing', () => {
    const graph = new Graph('made');
    const x = graph.addInput('x', { kind: 'tensor', elementType: 'float32', shape: ['N'] });
    const w = graph.addInitializer('w', Tensor.fromNumbers('float32', [1], [3]));
    const y = new Value('y', { kind: 'tensor', elementType: 'float32', shape: ['N'] });
    graph.append(new Node('Mul', [x, w], [y]));
    graph.setOutputs([y]);
    const written = decodeModel(modelToBytes(new Model(graph, new Map([['', 21]]))));
    expect(written).toMatchObject({
      irVersion: 10n,
      producerName: 'cdk-onnx',
      opsetImport: [{ domain: '', version: 21n }],
    });
    expect(written.graph?.node[0]).toMatchObject({ opType: 'Mul', input: ['x', 'w'], output: ['y'] });
  });
});
