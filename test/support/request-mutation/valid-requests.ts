/** A valid request of every kind that the function answers, for the mutator to damage. */
import sharp from 'sharp';
import type { NamedTensor, TensorForm } from '../../../lib/protocol/tensor.js';
import { encodeInferRequest } from '../encode-infer-request.js';
import { samplePhoto } from '../sample-photos.js';
import type { EchoInput } from '../served-artifact.js';
import { encodeWav } from '../wav-writer.js';

/** An HTTP request as it goes over the wire. */
export interface WireRequest {
  readonly method: string;
  readonly path: string;
  /** Names in lower case. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

export interface ValidRequest extends WireRequest {
  readonly name: string;
  /** Which function answers it. */
  readonly model: 'echo' | 'faces' | 'texts' | 'sounds';
}

/** Inputs of the model `echo` that these requests are for: one of every way in which elements are read. */
export const ECHO_INPUTS: readonly EchoInput[] = [
  { name: 'floats', dataType: 'float32', shape: [null, 2] },
  { name: 'longs', dataType: 'int64', shape: ['N'] },
  { name: 'texts', dataType: 'string', shape: ['N'] },
  { name: 'flags', dataType: 'bool', shape: ['N', 1] },
  { name: 'halves', dataType: 'float16', shape: ['N'] },
  { name: 'bytes', dataType: 'uint8', shape: ['N', 1, null] },
];

const ECHO_TENSORS: readonly NamedTensor[] = [
  { name: 'floats', dataType: 'float32', shape: [2, 2], data: Float32Array.of(0.5, -1, 3e30, -0) },
  { name: 'longs', dataType: 'int64', shape: [2], data: BigInt64Array.of(1n, 9007199254740993n) },
  { name: 'texts', dataType: 'string', shape: [2], data: ['grüße', ''] },
  { name: 'flags', dataType: 'bool', shape: [2, 1], data: Uint8Array.of(1, 0) },
  { name: 'halves', dataType: 'float16', shape: [2], data: Uint16Array.of(0x3c00, 0x0001) },
  { name: 'bytes', dataType: 'uint8', shape: [2, 1, 1], data: Uint8Array.of(0, 255) },
];

const ROWS = {
  instances: [
    { floats: [0.5, -1], longs: 1, texts: 'grüße', flags: [true], halves: 1, bytes: [[0]] },
    { floats: [2, 3e30], longs: 7, texts: { b64: 'YQ==' }, flags: [false], halves: 0.5, bytes: [[255]] },
  ],
  signature_name: 'serving_default',
};

const COLUMNS = {
  inputs: {
    floats: [[0.5, -1]],
    longs: [1, 2, 3],
    texts: ['a'],
    flags: [[true], [false]],
    halves: [1],
    bytes: [[[7, 8]]],
  },
};

export async function validRequests(): Promise<readonly ValidRequest[]> {
  const photo = () => sharp(samplePhoto('sample5.jpg')).resize(64, 48).withMetadata({ orientation: 6 });
  const pictures = {
    jpeg: await photo().jpeg().toBuffer(),
    'progressive jpeg': await photo().jpeg({ progressive: true }).toBuffer(),
    png: await photo().png().toBuffer(),
    'interlaced palette png': await photo().png({ palette: true, colors: 16, progressive: true }).toBuffer(),
  };
  return [
    inferRequest('V2 JSON', () => 'json'),
    inferRequest('V2 binary', () => 'binary', 'binary'),
    inferRequest('V2 mixed', (index) => (index % 2 === 0 ? 'json' : 'binary')),
    jsonRequest('TensorFlow Serving rows', '/v1/models/echo:predict', ROWS),
    jsonRequest('TensorFlow Serving columns', '/v1/models/echo/versions/3:predict', COLUMNS),
    ...Object.entries(pictures).map(
      ([name, body]): ValidRequest => ({
        name,
        model: 'faces',
        method: 'POST',
        path: '/predict/faces',
        headers: [['content-type', name.endsWith('png') ? 'image/png' : 'image/jpeg']],
        body,
      }),
    ),
    textRequest('text', 'text/plain', 'Grüße, you have WON 1,000,000 €!\n\nﬁne'),
    textRequest('text in JSON', 'application/json', JSON.stringify({ text: 'see you \ud83d\ude00 tomorrow' })),
    ...Object.entries(sounds()).map(
      ([name, body]): ValidRequest => ({
        name,
        model: 'sounds',
        method: 'POST',
        path: '/predict/sounds',
        headers: [['content-type', 'audio/wav']],
        body,
      }),
    ),
    ...['/openapi.json', '/v2/models/echo/versions/3', '/v1/models/echo/metadata', '/v2/health/ready', '/v2'].map(
      (path): ValidRequest => ({
        name: `GET ${path}`,
        model: 'echo',
        method: 'GET',
        path,
        headers: [['accept', '*/*']],
        body: new Uint8Array(),
      }),
    ),
  ];
}

function textRequest(name: string, mediaType: string, text: string): ValidRequest {
  return {
    name,
    model: 'texts',
    method: 'POST',
    path: '/predict/texts',
    headers: [['content-type', mediaType]],
    body: Buffer.from(text),
  };
}

/** A tone between silences, in the forms that sounds come in. */
function sounds(): Readonly<Record<string, Uint8Array>> {
  const tone = (sampleRate: number, channels = 1) =>
    Float32Array.from({ length: (sampleRate / 2) * channels }, (_, index) => {
      const second = Math.floor(index / channels) / sampleRate;
      return second > 0.1 && second < 0.4 ? 0.5 * Math.sin(2 * Math.PI * 440 * second) : 0;
    });
  return {
    'WAV of 16 bits': encodeWav(tone(16_000)),
    'WAV of floats': encodeWav(tone(8000), { sampleRate: 8000, bits: 32, float: true }),
    'extensible WAV in stereo': encodeWav(tone(11_025, 2), {
      sampleRate: 11_025,
      channels: 2,
      bits: 24,
      extensible: true,
      before: [['LIST', new Uint8Array(7)]],
    }),
  };
}

function inferRequest(name: string, formOf: (index: number) => TensorForm, outputForm?: TensorForm): ValidRequest {
  const inputs = ECHO_TENSORS.map((tensor, index) => ({ ...tensor, form: formOf(index) }));
  const { text, binary } = encodeInferRequest({
    id: 'a',
    inputs,
    outputs: inputs.map((input) => ({ name: `${input.name}_out`, form: outputForm ?? input.form })),
  });
  const document = Buffer.from(text);
  return {
    name,
    model: 'echo',
    method: 'POST',
    path: '/v2/models/echo/infer',
    headers:
      binary.length === 0
        ? [['content-type', 'application/json']]
        : [
            ['content-type', 'application/octet-stream'],
            ['inference-header-content-length', String(document.length)],
          ],
    body: Buffer.concat([document, ...binary]),
  };
}

function jsonRequest(name: string, path: string, document: unknown): ValidRequest {
  return {
    name,
    model: 'echo',
    method: 'POST',
    path,
    headers: [['content-type', 'application/json']],
    body: Buffer.from(JSON.stringify(document)),
  };
}
