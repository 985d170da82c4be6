/** A model that uses every field of onnx.proto, those that the IR has no word for included. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  type ModelProto,
  TensorProtoSchema,
} from 'onnx-buf';
import { floatTensor, modelProto, nodeProto, valueInfo } from './onnx-messages.js';

export function everyField(): ModelProto {
  const text = (value: string) => new TextEncoder().encode(value);
  const props = [{ key: 'k', value: 'v' }];
  const anyAttribute = (fields: MessageInitShape<typeof AttributeProtoSchema>) => create(AttributeProtoSchema, fields);
  return modelProto(
    {
      docString: 'a graph',
      metadataProps: props,
      node: [
        nodeProto('Custom', ['x', '', 'w', 'sparse'], ['a', '', 'b'], {
          name: 'first',
          domain: 'ai.onnx',
          overload: 'o',
          docString: 'd',
          metadataProps: props,
          deviceConfigurations: [
            { configurationId: 'c', pipelineStage: 0, shardingSpec: [{ tensorName: 'w', device: [0n] }] },
          ],
          attribute: [
            anyAttribute({ name: 'f', type: AttributeType.FLOAT, f: 0 }),
            anyAttribute({ name: 'i', type: AttributeType.INT }),
            anyAttribute({ name: 's', type: AttributeType.STRING, s: text('né'), docString: 'd' }),
            anyAttribute({ name: 'fs', type: AttributeType.FLOATS, floats: [1, -0, Number.NaN] }),
            anyAttribute({ name: 'is', type: AttributeType.INTS, ints: [2n ** 63n - 1n] }),
            anyAttribute({ name: 'ss', type: AttributeType.STRINGS, strings: [new Uint8Array([0xff])] }),
            anyAttribute({ name: 't', type: AttributeType.TENSOR, t: floatTensor('named', [1], [1]) }),
            anyAttribute({ name: 'ts', type: AttributeType.TENSORS, tensors: [floatTensor('', [1], [1])] }),
            anyAttribute({ name: 'gs', type: AttributeType.GRAPHS, graphs: [{ name: 'inner', docString: 'd' }] }),
            anyAttribute({ name: 'tp', type: AttributeType.TYPE_PROTO, tp: { denotation: 'IMAGE' } }),
            anyAttribute({ name: 'sp', type: AttributeType.SPARSE_TENSOR, sparseTensor: { dims: [4n] } }),
          ],
        }),
        nodeProto('Nothing', [], []),
      ],
      initializer: [
        floatTensor('w', [2], [1, 2]),
        create(TensorProtoSchema, {
          name: 'h',
          dims: [2n],
          dataType: DataType.FLOAT16,
          int32Data: [1, 2],
          docString: 'half',
        }),
        create(TensorProtoSchema, {
          name: 'l',
          dims: [1n],
          dataType: DataType.INT64,
          int64Data: [5n],
          metadataProps: props,
        }),
        create(TensorProtoSchema, {
          name: 'segmented',
          dims: [1n],
          dataType: DataType.FLOAT,
          floatData: [1],
          segment: { begin: 0n, end: 1n },
        }),
      ],
      sparseInitializer: [
        {
          values: floatTensor('sparse', [1], [1]),
          indices: { dims: [1n], dataType: DataType.INT64, int64Data: [3n] },
          dims: [4n],
        },
      ],
      input: [valueInfo('x', ['N', 3]), valueInfo('w', [2])],
      output: [valueInfo('b', []), valueInfo('a', ['N'])],
      valueInfo: [valueInfo('nobody', [1]), valueInfo('a', ['M']), valueInfo('x', [7])],
      quantizationAnnotation: [{ tensorName: 'a', quantParameterTensorNames: props }],
    },
    {
      irVersion: 13n,
      opsetImport: [
        { domain: 'ai.onnx', version: 22n },
        { domain: 'local', version: 1n },
      ],
      producerName: '',
      producerVersion: 'p',
      domain: 'd',
      modelVersion: -1n,
      docString: 'm',
      metadataProps: props,
      trainingInfo: [{ algorithm: { name: 't', node: [nodeProto('Adam', ['x'], ['y'])] }, updateBinding: props }],
      configuration: [{ name: 'c', numDevices: 2, device: ['a', 'b'] }],
      functions: [
        {
          name: 'f',
          domain: 'local',
          overload: 'o',
          input: ['p', 'unused'],
          output: ['q'],
          attribute: ['alpha'],
          attributeProto: [anyAttribute({ name: 'beta', type: AttributeType.FLOAT, f: 2 })],
          node: [
            nodeProto('Elu', ['p'], ['q'], {
              attribute: [anyAttribute({ name: 'alpha', type: AttributeType.FLOAT, refAttrName: 'alpha' })],
            }),
          ],
          opsetImport: [{ domain: '', version: 22n }],
          valueInfo: [valueInfo('q', [1])],
          docString: 'd',
          metadataProps: props,
        },
      ],
    },
  );
}
