/** RIFF WAVE: PCM of 8, 16, 24 and 32 bits and float of 32 and 64, mixed down to one channel. */
import { RequestError } from '../../errors.js';

export interface Sound {
  /** Hz. */
  readonly sampleRate: number;
  /** One channel, -1 to 1. */
  readonly samples: Float32Array;
}

export interface SoundLimits {
  /** After resampling too. Default 67,108,864: more than an hour at 16 kHz. */
  readonly maxSamples?: number;
  /** Each is a run of the model. Default 131,072: more than an hour of 32 ms each. */
  readonly maxWindows?: number;
}

export const DEFAULT_SOUND_LIMITS: Required<SoundLimits> = { maxSamples: 2 ** 26, maxWindows: 2 ** 17 };

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const MAX_CHANNELS = 64;
const SAMPLE_RATES = [1000, 768_000] as const;
/** Floats beyond it are no samples: some programs write integers of up to 32 bits as floats, none writes more. */
const LOUDEST = 2 ** 31;
/** What programs write that do not know the length when they begin. */
const UNKNOWN_LENGTHS = [0, 0xffffffff];

interface Format {
  readonly kind: number;
  readonly channels: number;
  readonly sampleRate: number;
  readonly bits: number;
}

export function isWav(bytes: Uint8Array): boolean {
  return tag(bytes, 0) === 'RIFF' && tag(bytes, 8) === 'WAVE';
}

/** @throws RequestError 400 SOUND_MISSING, SOUND_DAMAGED; 413 SOUND_TOO_LONG; 415 SOUND_FORMAT_UNKNOWN, SOUND_VARIANT_UNSUPPORTED */
export function decodeWav(bytes: Uint8Array, limits: SoundLimits = {}): Sound {
  const { maxSamples } = { ...DEFAULT_SOUND_LIMITS, ...limits };
  if (bytes.byteLength === 0) throw refusal(400, 'SOUND_MISSING', 'The body is empty.');
  if (!isWav(bytes)) {
    const start = Buffer.from(bytes.subarray(0, 8)).toString('hex');
    throw refusal(415, 'SOUND_FORMAT_UNKNOWN', `The body is no WAV file: it begins with the bytes ${start}.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: Format | undefined;
  for (let at = 12; at + 8 <= bytes.byteLength; ) {
    const name = tag(bytes, at);
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    const room = bytes.byteLength - start;
    if (name === 'data') {
      if (format === undefined) throw damaged('its sound comes before its format');
      if (size > room && !UNKNOWN_LENGTHS.includes(size))
        throw damaged(`it claims ${size} bytes of sound and has ${room}`);
      const length = UNKNOWN_LENGTHS.includes(size) && size !== 0 ? room : size;
      return { sampleRate: format.sampleRate, samples: mixed(view, start, length, format, maxSamples) };
    }
    if (size > room) throw damaged('it ends too early');
    if (name === 'fmt ') format = readFormat(view, start, size);
    // Chunks are padded to an even length.
    at = start + size + (size % 2);
  }
  throw damaged('it has no sound in it');
}

function tag(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

function readFormat(view: DataView, at: number, size: number): Format {
  if (size < 16) throw damaged('its format is cut short');
  const tagged = view.getUint16(at, true);
  if (tagged === EXTENSIBLE && size < 26) throw damaged('its format is cut short');
  const format = {
    kind: tagged === EXTENSIBLE ? view.getUint16(at + 24, true) : tagged,
    channels: view.getUint16(at + 2, true),
    sampleRate: view.getUint32(at + 4, true),
    bits: view.getUint16(at + 14, true),
  };
  const { kind, channels, sampleRate, bits } = format;
  const isKnown = (kind === PCM && [8, 16, 24, 32].includes(bits)) || (kind === FLOAT && [32, 64].includes(bits));
  if (!isKnown) throw unsupported(`format ${kind} with ${bits} bits`);
  if (channels < 1 || channels > MAX_CHANNELS) throw unsupported(`${channels} channels`);
  if (sampleRate < SAMPLE_RATES[0] || sampleRate > SAMPLE_RATES[1]) throw unsupported(`${sampleRate} samples a second`);
  const blockBytes = view.getUint16(at + 12, true);
  if (blockBytes !== (channels * bits) / 8) throw damaged(`its blocks of ${blockBytes} bytes do not fit its format`);
  return format;
}

function mixed(
  view: DataView,
  start: number,
  length: number,
  { kind, channels, bits }: Format,
  limit: number,
): Float32Array {
  const width = bits / 8;
  const frames = Math.floor(length / (width * channels));
  if (frames > limit) throw tooLong(`${frames} samples; at most ${limit} are heard`);
  const read = reader(view, kind, bits);
  const samples = new Float32Array(frames);
  for (let frame = 0, at = start; frame < frames; frame++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++, at += width) sum += read(at);
    samples[frame] = sum / channels;
  }
  return samples;
}

function reader(view: DataView, kind: number, bits: number): (at: number) => number {
  if (kind === FLOAT)
    return bits === 64 ? (at) => finite(view.getFloat64(at, true)) : (at) => finite(view.getFloat32(at, true));
  switch (bits) {
    case 8:
      return (at) => (view.getUint8(at) - 128) / 128;
    case 16:
      return (at) => view.getInt16(at, true) / 2 ** 15;
    case 24:
      return (at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 2 ** 16) / 2 ** 23;
    default:
      return (at) => view.getInt32(at, true) / 2 ** 31;
  }
}

/** A model would carry what is no number, or infinite in float32, through the rest of the sound. */
function finite(value: number): number {
  return Math.abs(value) <= LOUDEST ? value : 0;
}

function damaged(what: string): RequestError {
  return refusal(400, 'SOUND_DAMAGED', `The WAV file cannot be read: ${what}.`);
}

function unsupported(what: string): RequestError {
  return refusal(415, 'SOUND_VARIANT_UNSUPPORTED', `The WAV file is of a kind that is not read: ${what}.`);
}

export function tooLong(what: string): RequestError {
  return new RequestError({
    status: 413,
    code: 'SOUND_TOO_LONG',
    message: `The sound has ${what}.`,
    advice: 'Cut it into shorter sounds, and post one after the other.',
  });
}

function refusal(status: number, code: string, message: string): RequestError {
  return new RequestError({
    status,
    code,
    message,
    advice:
      'Post a WAV file with PCM of 16 bits as it is: no form data, no base64. `ffmpeg -i in.mp3 -ar 16000 -ac 1 out.wav` makes one.',
  });
}
