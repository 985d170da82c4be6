/** An endpoint as a user gets it, on this machine: models from ONNX files, built, synthesized and served by the local host. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toBinary } from '@bufbuild/protobuf';
import { App, Stack } from 'aws-cdk-lib/core';
import { type ModelProto, ModelProtoSchema, TensorProto_DataType } from 'onnx-buf';
import { InferenceEndpoint, Model } from '../../lib/constructs/index.js';
import { type LocalHost, startLocalHost } from '../../lib/local/local-host.js';
import { HOST_ARCHITECTURE } from '../support/local-app.js';
import { floatTensor, modelProto, nodeProto, valueInfo } from '../support/onnx-messages.js';

/** V2's data types but BF16, each with ONNX's. */
export const DATATYPES = {
  BOOL: TensorProto_DataType.BOOL,
  INT8: TensorProto_DataType.INT8,
  INT16: TensorProto_DataType.INT16,
  INT32: TensorProto_DataType.INT32,
  INT64: TensorProto_DataType.INT64,
  UINT8: TensorProto_DataType.UINT8,
  UINT16: TensorProto_DataType.UINT16,
  UINT32: TensorProto_DataType.UINT32,
  UINT64: TensorProto_DataType.UINT64,
  FP16: TensorProto_DataType.FLOAT16,
  FP32: TensorProto_DataType.FLOAT,
  FP64: TensorProto_DataType.DOUBLE,
  BYTES: TensorProto_DataType.STRING,
} as const;

interface ConformanceModel {
  readonly version: number;
  readonly proto: () => ModelProto;
}

/** Gives every input back as the output `<name>_out`. */
function echo(
  inputs: readonly { readonly name: string; readonly dims: readonly (number | string)[]; readonly type: number }[],
): ModelProto {
  return modelProto({
    node: inputs.map(({ name }) => nodeProto('Identity', [name], [`${name}_out`])),
    input: inputs.map(({ name, dims, type }) => valueInfo(name, dims, type)),
    output: inputs.map(({ name, dims, type }) => valueInfo(`${name}_out`, dims, type)),
  });
}

const MODELS = {
  /** An input of each data type, by its name in V2; any number of rows of any length. */
  datatypes: {
    version: 2,
    proto: () =>
      echo(
        Object.entries(DATATYPES).map(([name, type]) => ({ name, dims: [`${name}_rows`, `${name}_columns`], type })),
      ),
  },
  /** The model of TensorFlow Serving's documentation: y = x / 2 + 2. */
  half_plus_two: {
    version: 123,
    proto: () =>
      modelProto({
        node: [nodeProto('Mul', ['x', 'half'], ['halved']), nodeProto('Add', ['halved', 'two'], ['y'])],
        initializer: [floatTensor('half', [], [0.5]), floatTensor('two', [], [2])],
        input: [valueInfo('x', ['N'])],
        output: [valueInfo('y', ['N'])],
      }),
  },
  /** The inputs that the documentation's examples of several named tensors have. */
  sensors: {
    version: 1,
    proto: () =>
      echo([
        { name: 'tag', dims: ['N'], type: DATATYPES.BYTES },
        { name: 'signal', dims: ['N', 5], type: DATATYPES.INT64 },
        { name: 'sensor', dims: ['N', 2, 2], type: DATATYPES.FP32 },
      ]),
  },
  /** Texts in, bytes out: the output's name makes them bytes. */
  images: {
    version: 1,
    proto: () =>
      modelProto({
        node: [nodeProto('Identity', ['image_bytes'], ['image_out_bytes'])],
        input: [valueInfo('image_bytes', ['N'], DATATYPES.BYTES)],
        output: [valueInfo('image_out_bytes', ['N'], DATATYPES.BYTES)],
      }),
  },
} as const satisfies Readonly<Record<string, ConformanceModel>>;

export interface ServedEndpoint {
  /** `http://localhost:…` */
  readonly url: string;
  readonly host: LocalHost;
  readonly log: readonly string[];
  close(): Promise<void>;
}

/** The first model also answers for the server. */
export async function serveModels(names: readonly (keyof typeof MODELS)[]): Promise<ServedEndpoint> {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-conformance-'));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  const log: string[] = [];
  try {
    const models = names.map((name) => {
      const file = join(folder, `${name}.onnx`);
      writeFileSync(file, toBinary(ModelProtoSchema, MODELS[name].proto()));
      return Model.fromFile(file, { version: MODELS[name].version });
    });
    const assembly = join(folder, 'cdk.out');
    const app = new App({ outdir: assembly });
    new InferenceEndpoint(new Stack(app, 'Conformance'), 'Endpoint', { models, architecture: HOST_ARCHITECTURE });
    app.synth();
    const host = await startLocalHost({ assembly, port: 0, log: (line) => log.push(line) });
    return {
      url: host.url,
      host,
      log,
      close: async () => {
        await host.close();
        removeFolder();
      },
    };
  } catch (error) {
    removeFolder();
    throw error;
  }
}
