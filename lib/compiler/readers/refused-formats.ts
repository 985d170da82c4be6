/** Formats that people hand over and that no reader reads, recognized so that the refusal can name them and say what to do. */
import type { ModelSource } from './source.js';

export interface RefusedFormat {
  /** A clause: "Core ML models are not supported", "this is a GIF picture, not a model". */
  readonly refusal: string;
  readonly advice: string;
  readonly matches: (source: ModelSource) => boolean;
}

const NO_MODEL = 'Name the model file itself.';

const latin1 = new TextDecoder('latin1');

/** In order: the first that matches names the file. */
export const refusedFormats: readonly RefusedFormat[] = [
  {
    refusal: 'this is a Git LFS pointer, not a model',
    advice: 'The file stands for one that was not downloaded: run `git lfs pull`, or download the model itself.',
    matches: starts('version https://git-lfs.github.com/spec/'),
  },
  {
    refusal: 'this is an HTML page, not a model',
    advice: 'A download went wrong and saved a page in place of the model: download the file itself.',
    matches: ({ head }) => /^\s*<(!doctype html|html)/i.test(latin1.decode(head.subarray(0, 256))),
  },
  {
    refusal: 'ORT format models are not supported',
    advice: 'onnxruntime made it from an ONNX file: use that file.',
    matches: starts('ORTM', 4),
  },
  {
    refusal: 'this is a PyTorch checkpoint, not a graph',
    advice: 'Export the model with torch.onnx.export: a checkpoint holds weights, not the graph.',
    matches: ({ archive, entries }) => archive === 'zip' && entries.some((name) => /(^|\/)data\.pkl$/.test(name)),
  },
  {
    refusal: 'this is a NumPy archive, not a model',
    advice: NO_MODEL,
    matches: ({ archive, entries }) =>
      archive === 'zip' && entries.length > 0 && entries.every((name) => name.endsWith('.npy')),
  },
  {
    refusal: '7-Zip archives are not supported',
    advice: 'Unpack it and name the model file in it.',
    matches: starts('7z\xbc\xaf\x27\x1c'),
  },
  ...[
    ['bzip2', 'BZh'],
    ['xz', '\xfd7zXZ\0'],
    ['Zstandard', '\x28\xb5\x2f\xfd'],
  ].map(([name = '', magic = '']) => ({
    refusal: `${name} archives are not supported`,
    advice: 'Unpack it and name the model in it, or pack it as .tar.gz or .zip.',
    matches: starts(magic),
  })),
  {
    refusal: 'TensorFlow SavedModels in text form (saved_model.pbtxt) are not supported',
    advice: 'Save the model in binary form, as TensorFlow does by default.',
    matches: ({ entries }) => entries.includes('saved_model.pbtxt'),
  },
  {
    refusal: 'Core ML packages are not supported',
    advice: 'Core ML models run on Apple systems only: export the original model to ONNX.',
    matches: ({ entries }) => entries.includes('Manifest.json') && entries.includes('Data'),
  },
  {
    refusal: 'Core ML models are not supported',
    advice: 'Core ML models run on Apple systems only: export the original model to ONNX.',
    matches: ({ head }) => head[0] === 0x08 && head[2] === 0x12 && isNestedMessage(head, 3),
  },
  {
    refusal: 'this is a weights manifest of TensorFlow.js, weights without a model topology',
    advice:
      'What is computed with these weights stands in the JavaScript of the package that they belong to, and in no file: there is nothing to convert. Take a model.json that has a "modelTopology", or the model that the weights were exported from.',
    matches: ({ head }) => isWeightsManifest(head),
  },
  {
    refusal: 'GGUF models are not supported',
    advice: 'They are for llama.cpp: export the original model to ONNX.',
    matches: starts('GGUF'),
  },
  {
    refusal: 'this is a safetensors file, weights without a graph',
    advice: 'They hold weights without a graph: export the model to ONNX.',
    matches: ({ head, size }) => isSafetensors(head, size),
  },
  {
    refusal: 'this is a Python pickle (PyTorch or scikit-learn), not an exported graph',
    advice: 'Export the model to ONNX (torch.onnx.export, skl2onnx).',
    matches: ({ head }) => head[0] === 0x80 && (head[1] ?? 0) >= 2 && (head[1] ?? 0) <= 5,
  },
  {
    refusal: 'TensorRT engines are not supported',
    advice: 'They run on one kind of GPU: use the ONNX file it was built from.',
    matches: starts('ftrt'),
  },
  { refusal: 'this is a NumPy array, not a model', advice: NO_MODEL, matches: starts('\x93NUMPY') },
  {
    refusal: 'this is an XML file (an OpenVINO model?), which is not supported',
    advice: 'OpenVINO models run on OpenVINO only: use the model it was converted from.',
    matches: ({ head }) => /^\s*<(\?xml|net )/.test(latin1.decode(head.subarray(0, 256))),
  },
  { refusal: 'this is a GIF picture, not a model', advice: NO_MODEL, matches: starts('GIF8') },
  { refusal: 'this is a PNG picture, not a model', advice: NO_MODEL, matches: starts('\x89PNG\r\n') },
  { refusal: 'this is a JPEG picture, not a model', advice: NO_MODEL, matches: starts('\xff\xd8\xff') },
  { refusal: 'this is a RIFF file (WebP, WAV), not a model', advice: NO_MODEL, matches: starts('RIFF') },
  { refusal: 'this is a PDF document, not a model', advice: NO_MODEL, matches: starts('%PDF') },
  { refusal: 'this is an ELF program, not a model', advice: NO_MODEL, matches: starts('\x7fELF') },
  { refusal: 'this is a JSON file, not a model', advice: NO_MODEL, matches: ({ head }) => isJson(head) },
];

function starts(magic: string, offset = 0): (source: ModelSource) => boolean {
  return ({ head }) => head.length >= offset + magic.length && latin1Of(head, offset, magic.length) === magic;
}

/** One character per byte; TextDecoder's "latin1" is windows-1252, which differs from 0x80 to 0x9f. */
function latin1Of(head: Uint8Array, offset: number, length: number): string {
  return String.fromCharCode(...head.subarray(offset, offset + length));
}

/** A list of groups, each with the `paths` of its shards and a list of its `weights`, which may reach beyond what is seen here. */
function isWeightsManifest(head: Uint8Array): boolean {
  const text = latin1.decode(head);
  return /^\s*\[\s*\{/.test(text) && /"(weights|paths)"\s*:\s*\[/.test(text) && /"(name|paths)"\s*:/.test(text);
}

function isJson(head: Uint8Array): boolean {
  return /^\s*[[{]\s*["{[\]}\d]/.test(latin1.decode(head.subarray(0, 256)));
}

function isSafetensors(head: Uint8Array, size: number): boolean {
  if (head.length < 10 || latin1Of(head, 8, 2) !== '{"') return false;
  const length = new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true);
  return length > 0n && length + 8n <= BigInt(size);
}

/** Whether a length and then a message's first field (number 1, with a payload) stand at `position`. */
function isNestedMessage(head: Uint8Array, position: number): boolean {
  let at = position;
  while ((head[at] ?? 0) > 0x7f) at++;
  return head[at + 1] === 0x0a;
}
