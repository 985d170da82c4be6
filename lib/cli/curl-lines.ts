/** Lines that a newcomer pastes into a shell and gets an answer from. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { DataType, Manifest, TensorSignature } from '../artifact/manifest.js';
import { resolveModelSource } from '../artifact/model-source.js';

export interface CurlLineOptions {
  readonly url: string;
  readonly method: string;
  readonly path: string;
  /** Of the model that the path is about. */
  readonly manifest: Manifest | undefined;
  /** A picture to post. */
  readonly picture: string | undefined;
  /** Whether the route refuses requests without an API key. Default false. */
  readonly apiKeyRequired?: boolean;
}

/** Up to so many numbers stand in the line itself. */
const MAX_INLINE_ELEMENTS = 16;
/** How much of a long answer is shown. */
const SHOWN_BYTES = 600;
const JSON_TYPE = "-H 'content-type: application/json'";

const PICTURE = /\.(jpe?g|png)$/i;

/** The names of the Open Inference Protocol V2. */
const V2_DATATYPES: Readonly<Record<DataType, string>> = {
  float32: 'FP32',
  float64: 'FP64',
  float16: 'FP16',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  bool: 'BOOL',
  string: 'BYTES',
};

export function curlLine(options: CurlLineOptions): string {
  const { url, method, path, manifest, apiKeyRequired = false } = options;
  const address = `${apiKeyRequired ? "-H 'x-api-key: any' " : ''}${url}${path}`;
  if (method === 'GET' || method === 'ANY') return `curl ${address}`;
  if (manifest !== undefined && path.endsWith('/infer')) return inferLine(address, manifest);
  if (manifest !== undefined && path.endsWith(':predict')) return tensorFlowLine(address, manifest);
  if (path.startsWith('/predict/')) {
    if (manifest?.task.type === 'text-classification') {
      return `curl -d 'What is this about?' -H 'content-type: text/plain' ${address}`;
    }
    if (manifest?.task.type === 'voice-activity') {
      return `curl --data-binary @sound.wav -H 'content-type: audio/wav' ${address}`;
    }
    const picture = options.picture ?? 'photo.jpg';
    const type = /\.png$/i.test(picture) ? 'image/png' : 'image/jpeg';
    return `curl --data-binary @${quote(picture)} -H 'content-type: ${type}' ${address}`;
  }
  return `curl -X ${method} ${address}`;
}

/** Zeros of the right shape. Much of it is made by Node.js on the way, for a line that fits a screen. */
function inferLine(address: string, manifest: Manifest): string {
  const { inputs } = manifest.signature;
  const elements = inputs.reduce((sum, input) => sum + elementCount(input), 0);
  if (elements <= MAX_INLINE_ELEMENTS) {
    const body = JSON.stringify({ inputs: inputs.map((input) => ({ ...head(input), data: zeros(input) })) });
    return `curl ${JSON_TYPE} -d ${quote(body)} ${address}`;
  }
  const tensors = inputs.map((input) => {
    const description = JSON.stringify(head(input)).slice(0, -1);
    return `${description},"data":Array(${elementCount(input)}).fill(${JSON.stringify(zero(input))})}`;
  });
  return pipedLine(`JSON.stringify({"inputs":[${tensors.join(',')}]})`, address);
}

/** The same for TensorFlow Serving's columnar form, whose tensors are nested. */
function tensorFlowLine(address: string, manifest: Manifest): string {
  const { inputs } = manifest.signature;
  const elements = inputs.reduce((sum, input) => sum + elementCount(input), 0);
  if (elements <= MAX_INLINE_ELEMENTS) {
    const tensors = inputs.map((input): [string, unknown] => [input.name, nested(zero(input), fixedShape(input))]);
    const body = JSON.stringify({ inputs: Object.fromEntries(tensors) });
    return `curl ${JSON_TYPE} -d ${quote(body)} ${address}`;
  }
  const tensors = inputs.map((input) => {
    const rows = fixedShape(input).reduceRight(
      (row, size) => `Array(${size}).fill(${row})`,
      JSON.stringify(zero(input)),
    );
    return `${JSON.stringify(input.name)}:${rows}`;
  });
  return pipedLine(`JSON.stringify({"inputs":{${tensors.join(',')}}})`, address);
}

function nested(element: unknown, [size, ...inner]: readonly number[]): unknown {
  return size === undefined ? element : Array.from({ length: size }, () => nested(element, inner));
}

/** Posts what a JavaScript expression makes. */
function pipedLine(expression: string, address: string): string {
  return `node -p ${quote(expression)} | curl -s ${JSON_TYPE} --data-binary @- ${address} | head -c ${SHOWN_BYTES}`;
}

function head(input: TensorSignature): { name: string; shape: number[]; datatype: string } {
  return { name: input.name, shape: fixedShape(input), datatype: V2_DATATYPES[input.dataType] };
}

/** Unknown sizes are 1. */
function fixedShape(input: TensorSignature): number[] {
  return (input.shape ?? [1]).map((dimension) => (typeof dimension === 'number' ? dimension : 1));
}

function elementCount(input: TensorSignature): number {
  return fixedShape(input).reduce((product, size) => product * size, 1);
}

function zeros(input: TensorSignature): (number | boolean | string)[] {
  return Array.from({ length: elementCount(input) }, () => zero(input));
}

function zero({ dataType }: TensorSignature): number | boolean | string {
  return dataType === 'bool' ? false : dataType === 'string' ? '' : 0;
}

/** For a POSIX shell. */
function quote(text: string): string {
  return /^[\w./@:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * A picture of the samples of a model in this project, relative to the working directory. The samples are pictures, or a file
 * `sources.txt` that names one a line as model.json names its source: a path, or `module:<package>/<path>`.
 */
export function findPicture(project: string, modelName: string): string | undefined {
  const samples = join(project, 'models', modelName, 'samples');
  if (!existsSync(samples)) return undefined;
  const pictures = readdirSync(samples, { recursive: true, encoding: 'utf8' }).filter((file) => PICTURE.test(file));
  const sources = pictures.length > 0 ? pictures.sort() : readSources(join(samples, 'sources.txt'));
  for (const source of sources) {
    try {
      return relative(process.cwd(), resolveModelSource(source, samples));
    } catch {
      // Of a package that is not installed: the next one may be.
    }
  }
  return undefined;
}

function readSources(file: string): string[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => PICTURE.test(line));
}
