/** Artifacts as the function finds them, written by hand around models that a test chooses. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, TensorProto_DataType } from 'onnx-buf';
import {
  ASSETS_FOLDER,
  type DataType,
  type Dimension,
  type Manifest,
  type SessionSettings,
  type Signature,
  type Task,
} from '../../lib/artifact/manifest.js';
import { MODEL_INTERFACE_FILE, modelInterface } from '../../lib/artifact/model-interface.js';
import { modelProto, nodeProto, valueInfo } from './onnx-messages.js';
import { realModels } from './real-models.js';
import type { TaskModel } from './task-models.js';

export interface ServedArtifact {
  readonly folder: string;
  readonly manifest: Manifest;
  /** Path of the ONNX file. */
  readonly model: string;
  remove(): void;
}

export interface ArtifactOptions {
  readonly name: string;
  readonly model: Uint8Array;
  readonly signature: Signature;
  readonly task?: Task;
  readonly session?: SessionSettings;
  /** What the task names, by path. */
  readonly assets?: Readonly<Record<string, string>>;
}

export function writeServedArtifact(options: ArtifactOptions): ServedArtifact {
  const parent = mkdtempSync(join(tmpdir(), 'cdk-onnx-artifact-'));
  const folder = join(parent, options.name);
  mkdirSync(folder);
  const model = join(folder, 'model.onnx');
  writeFileSync(model, options.model);
  const manifest: Manifest = {
    schemaVersion: 1,
    name: options.name,
    modelVersion: 3,
    contentHash: '0'.repeat(64),
    onnxruntimeVersion: '1.30.0',
    signature: options.signature,
    task: options.task ?? { type: 'tensor' },
    session: options.session ?? {},
    model: 'model.onnx',
    files: [],
  };
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
  // A router finds it in a layer of its own.
  writeFileSync(join(folder, MODEL_INTERFACE_FILE), JSON.stringify(modelInterface(manifest)));
  for (const [path, text] of Object.entries(options.assets ?? {})) {
    const file = join(folder, ASSETS_FOLDER, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return { folder, manifest, model, remove: () => rmSync(parent, { recursive: true, force: true }) };
}

export function writeTaskArtifact(name: string, { bytes, signature, task, files }: TaskModel): ServedArtifact {
  return writeServedArtifact({
    name,
    model: bytes,
    signature,
    task,
    ...(files === undefined ? {} : { assets: files }),
  });
}

const FACES = join(import.meta.dirname, '../../models/faces/model.json');

/** The example model, not optimized. */
export function writeFaceArtifact(): ServedArtifact {
  return writeServedArtifact({
    name: 'faces',
    model: readFileSync(realModels.blazefaceBack),
    task: JSON.parse(readFileSync(FACES, 'utf8')).task,
    signature: {
      inputs: [{ name: 'input:0', dataType: 'float32', shape: [1, 256, 256, 3] }],
      outputs: [
        { name: 'Identity:0', dataType: 'float32', shape: [1, 512, 1] },
        { name: 'Identity_1:0', dataType: 'float32', shape: [1, 384, 1] },
        { name: 'Identity_2:0', dataType: 'float32', shape: [1, 512, 16] },
        { name: 'Identity_3:0', dataType: 'float32', shape: [1, 384, 16] },
      ],
    },
  });
}

const ONNX_TYPES: Readonly<Record<DataType, TensorProto_DataType>> = {
  float32: TensorProto_DataType.FLOAT,
  float64: TensorProto_DataType.DOUBLE,
  float16: TensorProto_DataType.FLOAT16,
  int8: TensorProto_DataType.INT8,
  int16: TensorProto_DataType.INT16,
  int32: TensorProto_DataType.INT32,
  int64: TensorProto_DataType.INT64,
  uint8: TensorProto_DataType.UINT8,
  uint16: TensorProto_DataType.UINT16,
  uint32: TensorProto_DataType.UINT32,
  uint64: TensorProto_DataType.UINT64,
  bool: TensorProto_DataType.BOOL,
  string: TensorProto_DataType.STRING,
};

export interface EchoInput {
  readonly name: string;
  readonly dataType: DataType;
  readonly shape: readonly Dimension[];
}

/** A model in which each input comes back as the output `<name>_out`. */
export function echoModel(inputs: readonly EchoInput[]): { readonly bytes: Uint8Array; readonly signature: Signature } {
  const outputs = inputs.map((input) => ({ ...input, name: `${input.name}_out` }));
  const proto = modelProto({
    node: inputs.map(({ name }) => nodeProto('Identity', [name], [`${name}_out`])),
    input: inputs.map(toValueInfo),
    output: outputs.map(toValueInfo),
  });
  return { bytes: toBinary(ModelProtoSchema, proto), signature: { inputs, outputs } };
}

/** Each input comes back as the output `<name>_out`. */
export function writeEchoArtifact(inputs: readonly EchoInput[]): ServedArtifact {
  const { bytes, signature } = echoModel(inputs);
  return writeServedArtifact({ name: 'echo', model: bytes, signature });
}

/** y = log(x): infinite at 0 and not a number below. */
export function writeLogarithmArtifact(): ServedArtifact {
  const signature: Signature = {
    inputs: [{ name: 'x', dataType: 'float32', shape: ['N'] }],
    outputs: [{ name: 'y', dataType: 'float32', shape: ['N'] }],
  };
  const proto = modelProto({
    node: [nodeProto('Log', ['x'], ['y'])],
    input: [valueInfo('x', ['N'])],
    output: [valueInfo('y', ['N'])],
  });
  return writeServedArtifact({ name: 'logarithm', model: toBinary(ModelProtoSchema, proto), signature });
}

function toValueInfo({ name, dataType, shape }: EchoInput) {
  return valueInfo(
    name,
    shape.map((size) => size ?? 'unknown'),
    ONNX_TYPES[dataType],
  );
}
