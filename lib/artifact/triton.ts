/** What Triton, the server of the GPU variant, is given: one archive, and beside it what a construct has to know of it. */

/** An artifact of its own inside of another: the same model for a GPU, which no Lambda function has. */
export const GPU_FOLDER = 'gpu';
/** In the folder of the GPU variant, beside its manifest, which lists neither of its files: they are the variant, packed. */
export const TRITON_FOLDER = 'triton';
export const MODEL_ARCHIVE = 'model.tar.gz';
export const ARCHIVE_DESCRIPTION = 'archive.json';
/** What of the folder is deployed, or read at synth. */
export const TRITON_FILES = [MODEL_ARCHIVE, ARCHIVE_DESCRIPTION];
export const ARCHIVE_SCHEMA_VERSION = 1;

/** `archive.json`. */
export interface TritonArchive {
  readonly schemaVersion: typeof ARCHIVE_SCHEMA_VERSION;
  /** The model's name: of the archive's one top-level folder, and of every answer's `model_name`. */
  readonly name: string;
  /** Of the folder inside it, and of every answer's `model_version`. */
  readonly modelVersion: number;
  readonly precision: 'fp32' | 'fp16';
  /** Requests with more in their first dimension are refused. 0: the model takes no batches, and shapes as they are. */
  readonly maxBatchSize: number;
  /** Whether TensorRT compiles the model when it is loaded, which takes minutes. */
  readonly tensorRt: boolean;
  /** Of the ONNX file. */
  readonly irVersion: number;
  /** By domain; '' is the standard operators. */
  readonly opsets: Readonly<Record<string, number>>;
  /** Of the archive, lower-case hexadecimal. */
  readonly sha256: string;
  /** Of the archive. */
  readonly bytes: number;
}

/** A release of Triton that SageMaker has an image of: its tag is `<release>-py3`. */
export interface TritonLimits {
  /** At least this onnxruntime. */
  readonly onnxruntime: string;
  /** The newest of the standard operators, and of ai.onnx.ml, that it loads. */
  readonly opset: number;
  readonly mlOpset: number;
  /** The newest version of ONNX files that it loads. */
  readonly irVersion: number;
}

/** Releases of Triton that SageMaker has an image of. */
export type TritonRelease = '25.04' | '25.09';

/**
 * Images: https://github.com/aws/sagemaker-python-sdk, image_uri_config/sagemaker-tritonserver.json. Their onnxruntime: DEFAULT_TRITON_VERSION_MAP
 * in build.py of https://github.com/triton-inference-server/server had 1.20.1 before 25.03 and 1.22.0 from May 2025 (#8196). What these
 * load, measured with their wheels from PyPI: models of every opset and IR version. A later patch of theirs can only load more.
 */
export const TRITON_RELEASES: Readonly<Record<TritonRelease, TritonLimits>> = {
  '25.04': { onnxruntime: '1.20.1', opset: 21, mlOpset: 5, irVersion: 10 },
  '25.09': { onnxruntime: '1.22.0', opset: 22, mlOpset: 5, irVersion: 10 },
};

export const NEWEST_TRITON: TritonRelease = '25.09';

/** What a release cannot load of a model, each as half a sentence; empty where it can. */
export function beyondTriton(
  { irVersion, opsets }: Pick<TritonArchive, 'irVersion' | 'opsets'>,
  release: TritonRelease,
): string[] {
  const limits = TRITON_RELEASES[release];
  const opset = opsets[''] ?? opsets['ai.onnx'] ?? 0;
  const mlOpset = opsets['ai.onnx.ml'] ?? 0;
  return [
    ...(opset > limits.opset ? [`its opset is ${opset}, and the newest there is ${limits.opset}`] : []),
    ...(mlOpset > limits.mlOpset
      ? [`its opset of ai.onnx.ml is ${mlOpset}, and the newest there is ${limits.mlOpset}`]
      : []),
    ...(irVersion > limits.irVersion
      ? [`its IR version is ${irVersion}, and the newest there is ${limits.irVersion}`]
      : []),
  ];
}
