import { basename, resolve } from 'node:path';
import type { AssetStaging } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { Manifest } from '../artifact/manifest.js';
import type { Task } from '../artifact/task.js';
import { SynthesisError } from '../errors.js';
import type { ArchitectureName } from './architecture.js';
import { stageArtifact, stageBuiltArchive } from './artifact-asset.js';
import { stageModelDirectory, stageModelFile } from './model-asset.js';
import { readArtifact, readModelDirectory } from './model-description.js';

/** What a model's name may be; it becomes a route, a path in the layer and part of logical ids. */
const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

/** What a model.json would say of a model file. */
export interface ModelFileOptions {
  /**
   * The model's name: its routes and its layer.
   * @default - the file's name without its extension
   */
  readonly name?: string;
  /**
   * What the endpoint means to the person who calls it.
   * @default - `{ type: 'tensor' }`: tensors in, tensors out
   */
  readonly task?: Task;
  /**
   * The integer version that TensorFlow Serving clients ask for.
   * @default 1
   */
  readonly version?: number;
  /**
   * How float32 weights are stored. They are computed in float32 either way.
   * @default 'fp32'
   */
  readonly weights?: 'fp32' | 'fp16';
  /**
   * How `GpuEndpoint` serves it.
   * @default - not on a GPU
   */
  readonly gpu?: ModelGpuOptions;
}

/** The `gpu` section of a model.json. */
export interface ModelGpuOptions {
  /** What it computes in; inputs and outputs keep their types. */
  readonly precision: 'fp32' | 'fp16';
  /**
   * The largest first dimension of a request, 0 to 4096.
   * @default - 32 where all tensors are batches, else 0: no batches
   */
  readonly maxBatchSize?: number;
  /**
   * How long a request may wait for others to share a batch with, up to 1,000,000.
   * @default 0
   */
  readonly maxQueueDelayMicroseconds?: number;
  /**
   * How often the model is loaded on each GPU, 1 to 16.
   * @default 1
   */
  readonly instances?: number;
  /**
   * Whether TensorRT compiles the model when it is loaded: faster, and ready minutes later.
   * @default false
   */
  readonly tensorRt?: boolean;
}

/** What a model is built for. */
export interface ModelBindOptions {
  /** Of the function that will load it. */
  readonly architecture: ArchitectureName;
}

/** A model's archive for Triton, staged in the cloud assembly. */
export interface StagedArchive {
  /** The asset, with the archive and its description. */
  readonly staging: AssetStaging;
  /** Where both lie, or undefined where the app runs without bundling (`cdk ls`, `cdk destroy`): then nothing was built. */
  readonly archiveFolder: string | undefined;
}

/** A model's files, staged below `models/<name>` in the cloud assembly. */
export interface StagedModel {
  /** The asset, with the model's files below `models/<name>`. */
  readonly staging: AssetStaging;
  /** The artifact's folder, or undefined where the app runs without bundling (`cdk ls`, `cdk destroy`): then nothing was built. */
  readonly artifactFolder: string | undefined;
}

/**
 * Where a model comes from.
 *
 * @example
 * new InferenceEndpoint(this, 'Vision', { models: [Model.fromDirectory('models/faces')] });
 */
export abstract class Model {
  /**
   * A folder with a model.json. It is built at synth by the command line, in a child process without your AWS credentials; an
   * unchanged model is not built again.
   *
   * @param path relative to the working directory of the app, as in every CDK asset.
   * @throws SynthesisError `MODEL_JSON_NOT_FOUND`, `MODEL_JSON_UNREADABLE`, `MODEL_NAME_INVALID`
   */
  static fromDirectory(path: string): Model {
    return new DirectoryModel(resolve(path));
  }

  /**
   * A model alone, as `source` of a model.json would name it: a file, a folder or an archive, with the rest of a model.json as options.
   *
   * @throws SynthesisError `MODEL_NAME_INVALID`, `MODEL_FILE_NOT_FOUND`
   */
  static fromFile(path: string, options: ModelFileOptions = {}): Model {
    return new FileModel(resolve(path), options);
  }

  /**
   * An artifact that `cdk-onnx build` wrote: nothing is built at synth, its digests are checked.
   *
   * @throws SynthesisError `ARTIFACT_NOT_FOUND`, `ARTIFACT_DAMAGED`
   */
  static fromArtifact(path: string): Model {
    return new ArtifactModel(resolve(path));
  }

  /** The model's name: its routes, its layer, part of its resources' ids. */
  readonly name: string;
  /** The kind of its task. */
  readonly taskType: Task['type'];
  /** The integer version that clients may ask for. */
  readonly version: number;

  protected constructor(name: string, taskType: Task['type'], version: number) {
    if (!MODEL_NAME.test(name)) {
      throw new SynthesisError({
        code: 'MODEL_NAME_INVALID',
        message: `'${name}' cannot be a model's name.`,
        advice: 'Use 1 to 63 letters, digits, - or _, starting with a letter or digit.',
      });
    }
    this.name = name;
    this.taskType = taskType;
    this.version = version;
  }

  /** Stages the model's files in the cloud assembly. Called by `ModelLayer`. */
  abstract bind(scope: Construct, options: ModelBindOptions): StagedModel;

  /** Stages the model's archive for Triton in the cloud assembly. Called by `GpuEndpoint`. */
  abstract bindArchive(scope: Construct): StagedArchive;
}

class DirectoryModel extends Model {
  constructor(private readonly directory: string) {
    const description = readModelDirectory(directory);
    super(description.name, description.taskType, description.version);
  }

  bind(scope: Construct, { architecture }: ModelBindOptions): StagedModel {
    return stageModelDirectory(scope, { name: this.name, directory: this.directory, target: architecture });
  }

  bindArchive(scope: Construct): StagedArchive {
    return archiveOf(stageModelDirectory(scope, { name: this.name, directory: this.directory, target: 'gpu' }));
  }
}

class FileModel extends Model {
  constructor(
    private readonly file: string,
    private readonly options: ModelFileOptions,
  ) {
    super(
      options.name ?? basename(file).replace(/(\.tar)?\.\w+$/, ''),
      options.task?.type ?? 'tensor',
      options.version ?? 1,
    );
  }

  bind(scope: Construct, { architecture }: ModelBindOptions): StagedModel {
    const { weights = 'fp32', task = { type: 'tensor' } } = this.options;
    return stageModelFile(scope, {
      name: this.name,
      file: this.file,
      target: architecture,
      description: { version: this.version, weights, task },
    });
  }

  bindArchive(scope: Construct): StagedArchive {
    const { gpu } = this.options;
    const description = { version: this.version, ...(gpu === undefined ? {} : { gpu }) };
    return archiveOf(stageModelFile(scope, { name: this.name, file: this.file, target: 'gpu', description }));
  }
}

class ArtifactModel extends Model {
  private readonly manifest: Manifest;

  constructor(private readonly folder: string) {
    const manifest = readArtifact(folder);
    super(manifest.name, manifest.task.type, manifest.modelVersion);
    this.manifest = manifest;
  }

  bind(scope: Construct): StagedModel {
    return stageArtifact(scope, { folder: this.folder, manifest: this.manifest });
  }

  bindArchive(scope: Construct): StagedArchive {
    return archiveOf(stageBuiltArchive(scope, { folder: this.folder, name: this.name }));
  }
}

function archiveOf({ staging, artifactFolder }: StagedModel): StagedArchive {
  return { staging, archiveFolder: artifactFolder };
}
