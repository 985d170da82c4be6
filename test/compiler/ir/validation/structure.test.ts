import { create, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
} from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { decodeModel } from '../../../../lib/compiler/formats/onnx/decode.js';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import { modelFromProto } from '../../../../lib/compiler/ir/serialization/from-proto.js';
import { validate, validateStructure } from '../../../../lib/compiler/ir/validation.js';
import { cpuMilliseconds } from '../../../support/cpu-time.js';
import { floatTensor, graphAttribute, modelProto, nodeProto, valueInfo } from '../../../support/onnx-messages.js';
import { refusalOf } from '../../../support/refusal.js';

const read = (proto: ModelProto): Model => modelFromProto(decodeModel(toBinary(ModelProtoSchema, proto)));
const x = valueInfo('x', [1]);
const y = valueInfo('y', [1]);
const graph = (node: readonly NodeProto[], rest: Parameters<typeof modelProto>[0] = {}) =>
  modelProto({ node: [...node], input: [x], output: [y], ...rest });

describe('structure', () => {
  const inner = (node: ReturnType<typeof nodeProto>[], output = 'r') => ({
    name: 'inner',
    node,
    output: [valueInfo(output, [1])],
  });

  test.each<[string, () => ModelProto, string, readonly string[]]>([
    ['a node on itself', () => graph([nodeProto('Add', ['x', 'y'], ['y'])]), 'GRAPH_CYCLE', ["Add 'y'"]],
    [
      'a cycle of three nodes',
      () =>
        graph([
          nodeProto('Relu', ['c'], ['y'], { name: 'behind it' }),
          nodeProto('Add', ['x', 'c'], ['a'], { name: 'one' }),
          nodeProto('Relu', ['a'], ['b'], { name: 'two' }),
          nodeProto('Relu', ['b'], ['c'], { name: 'three' }),
        ]),
      'GRAPH_CYCLE',
      [": Add 'one' → Relu 'two' → Relu 'three'.", "graph 'g'"],
    ],
    [
      'a cycle through a subgraph',
      () =>
        graph([
          nodeProto('If', ['x'], ['y'], {
            attribute: [graphAttribute('then_branch', inner([nodeProto('Relu', ['y'], ['r'])]))],
          }),
        ]),
      'GRAPH_CYCLE',
      ["If 'y'"],
    ],
    [
      'nodes out of order',
      () => graph([nodeProto('Relu', ['a'], ['y']), nodeProto('Relu', ['x'], ['a'])]),
      'VALUE_BEFORE_DEFINITION',
      ["'a'", "input 0 of Relu 'y'", "Relu 'a' computes it"],
    ],
    [
      'an input that nobody defines',
      () => graph([nodeProto('Add', ['x', 'ghost'], ['y'])]),
      'VALUE_UNDEFINED',
      ["'ghost', input 1 of Add 'y'"],
    ],
    [
      'an output that nobody defines',
      () => graph([nodeProto('Relu', ['x'], ['z'])]),
      'VALUE_UNDEFINED',
      ["'y', output 0 of graph 'g'"],
    ],
    [
      'a subgraph’s value used outside',
      () =>
        graph([
          nodeProto('If', ['x'], ['a'], {
            attribute: [graphAttribute('then_branch', inner([nodeProto('Relu', ['x'], ['r'])]))],
          }),
          nodeProto('Relu', ['r'], ['y']),
        ]),
      'VALUE_UNDEFINED',
      ["'r', input 0 of Relu 'y'"],
    ],
    [
      'a value of the graph around it that comes later',
      () =>
        graph([
          nodeProto('If', ['x'], ['a'], {
            attribute: [graphAttribute('then_branch', inner([nodeProto('Relu', ['late'], ['r'])]))],
          }),
          nodeProto('Relu', ['x'], ['late']),
          nodeProto('Relu', ['late'], ['y']),
        ]),
      'VALUE_BEFORE_DEFINITION',
      ["'late'", "Relu 'r'"],
    ],
    [
      'two nodes with one output',
      () => graph([nodeProto('Relu', ['x'], ['y']), nodeProto('Abs', ['x'], ['y'])]),
      'VALUE_DUPLICATE',
      ["'y'", "Abs 'y'"],
    ],
    [
      'an output with an input’s name',
      () => graph([nodeProto('Relu', ['x'], ['x'])], { output: [x] }),
      'VALUE_DUPLICATE',
      ["'x'"],
    ],
    [
      'two initializers of one name',
      () =>
        graph([nodeProto('Relu', ['x'], ['y'])], {
          initializer: [floatTensor('w', [1], [1]), floatTensor('w', [1], [2])],
        }),
      'VALUE_DUPLICATE',
      ["'w'"],
    ],
    [
      'two inputs of one name',
      () => graph([nodeProto('Relu', ['x'], ['y'])], { input: [x, x] }),
      'VALUE_DUPLICATE',
      ["'x'"],
    ],
    [
      'an initializer without a name',
      () => graph([nodeProto('Relu', ['x'], ['y'])], { initializer: [floatTensor('', [1], [1])] }),
      'VALUE_UNNAMED',
      ["graph 'g'"],
    ],
    ['no outputs', () => graph([nodeProto('Relu', ['x'], ['y'])], { output: [] }), 'GRAPH_WITHOUT_OUTPUTS', []],
    ['a node without an operator', () => graph([nodeProto('', ['x'], ['y'])]), 'NODE_WITHOUT_OPERATOR', ["'y'"]],
    [
      'a domain without an opset',
      () => graph([nodeProto('Gelu', ['x'], ['y'], { domain: 'com.microsoft' })]),
      'OPSET_MISSING',
      ['com.microsoft', "Gelu 'y'"],
    ],
    [
      'a reference to an attribute outside a function',
      () =>
        graph([
          nodeProto('Elu', ['x'], ['y'], {
            attribute: [
              create(AttributeProtoSchema, {
                name: 'alpha',
                type: AttributeProto_AttributeType.FLOAT,
                refAttrName: 'a',
              }),
            ],
          }),
        ]),
      'ATTRIBUTE_REFERENCE',
      ["'alpha' of Elu 'y'"],
    ],
  ])('%s', async (_what, proto, code, places) => {
    const model = read(proto());
    const error = await refusalOf(() => validateStructure(model));
    expect(error.code).toBe(code);
    for (const place of places) expect(error.message).toContain(place);
  });

  const fn = (name: string, node: ReturnType<typeof nodeProto>[]) => ({
    name,
    domain: 'local',
    input: ['p'],
    output: ['q'],
    node,
    opsetImport: [{ version: 17n }, { domain: 'local', version: 1n }],
  });
  const call = (opType: string, from = 'p', to = 'q') => nodeProto(opType, [from], [to], { domain: 'local' });
  const withFunctions = (...functions: ReturnType<typeof fn>[]) =>
    modelProto(
      { node: [call('F', 'x', 'y')], input: [x], output: [y] },
      { opsetImport: [{ version: 17n }, { domain: 'local', version: 1n }], functions },
    );

  test('functions that call one another are fine, those that come back to themselves are not', async () => {
    expect(() =>
      validate(read(withFunctions(fn('F', [call('G')]), fn('G', [nodeProto('Relu', ['p'], ['q'])])))),
    ).not.toThrow();
    const error = await refusalOf(() => validate(read(withFunctions(fn('F', [call('G')]), fn('G', [call('F')])))));
    expect(error.code).toBe('FUNCTION_RECURSION');
    expect(error.message).toMatch(/'[FG]' of domain 'local'/);
  });

  test('a function that is there twice, and an undefined value inside one', async () => {
    const relu = fn('F', [nodeProto('Relu', ['p'], ['q'])]);
    expect((await refusalOf(() => validate(read(withFunctions(relu, relu))))).code).toBe('FUNCTION_DUPLICATE');
    const error = await refusalOf(() => validate(read(withFunctions(fn('F', [nodeProto('Relu', ['x'], ['q'])])))));
    expect(error.code).toBe('VALUE_UNDEFINED');
    expect(error.message).toContain("'x', input 0 of Relu 'q'");
  });

  test('a rewrite that makes a subgraph use a value whose name is hidden there is found', async () => {
    const branch = inner([nodeProto('Relu', ['x'], ['r'])]);
    const model = read(
      graph([
        nodeProto('Abs', ['x'], ['a']),
        nodeProto('If', ['x'], ['y'], { attribute: [graphAttribute('then_branch', branch)] }),
      ]),
    );
    const [abs, conditional] = model.graph.nodes;
    const [entry] = [...(conditional?.subgraphs() ?? [])];
    const relu = entry?.[1].nodes[0];
    expect(() => validateStructure(model)).not.toThrow();
    const outer = abs?.output();
    const hidden = entry?.[1].addInput('a', undefined);
    relu?.setInput(0, outer);
    expect(hidden?.name).toBe('a');
    const error = await refusalOf(() => validateStructure(model));
    expect(error.code).toBe('VALUE_SHADOWED');
    expect(error.message).toContain("'a', input 0 of Relu 'r'");
  });

  test('all faults are told, the first ten of them in words', async () => {
    const nodes = Array.from({ length: 25 }, (_, index) => nodeProto('Relu', [`ghost${index}`], [`r${index}`]));
    const error = await refusalOf(() => validateStructure(read(graph([nodeProto('Relu', ['x'], ['y']), ...nodes]))));
    expect(error.code).toBe('VALUE_UNDEFINED');
    expect(error.message).toContain('25 faults');
    expect(error.message).toContain('ghost9');
    expect(error.message).not.toContain('ghost10');
    expect(error.message).toContain('and 15 more');
  });

  test('a chain of 100,000 nodes backwards takes no stack and no time', async () => {
    const length = 100_000;
    const nodes = Array.from({ length }, (_, index) =>
      nodeProto('Relu', [index === length - 1 ? 'x' : `v${index + 1}`], [`v${index}`]),
    );
    const model = read(graph(nodes, { output: [valueInfo('v0', [1])] }));
    const took = await cpuMilliseconds(async () => {
      expect((await refusalOf(() => validateStructure(model))).code).toBe('VALUE_BEFORE_DEFINITION');
    });
    expect(took).toBeLessThan(10_000);
  });
});
