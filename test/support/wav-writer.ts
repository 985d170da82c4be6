/** WAV files of every kind that is read. */
export interface WavOptions {
  readonly sampleRate?: number;
  readonly channels?: number;
  readonly bits?: 8 | 16 | 24 | 32 | 64;
  readonly float?: boolean;
  /** In a WAVE_FORMAT_EXTENSIBLE. */
  readonly extensible?: boolean;
  /** Chunks in front of the sound. */
  readonly before?: readonly (readonly [tag: string, bytes: Uint8Array])[];
}

/** @param samples interleaved, -1 to 1 */
export function encodeWav(samples: ArrayLike<number>, options: WavOptions = {}): Uint8Array {
  const { sampleRate = 16_000, channels = 1, bits = 16, float = false, extensible = false, before = [] } = options;
  const width = bits / 8;
  const data = Buffer.alloc(samples.length * width);
  for (let index = 0; index < samples.length; index++) {
    const value = samples[index] as number;
    const at = index * width;
    const scaled = Math.max(-(2 ** (bits - 1)), Math.min(2 ** (bits - 1) - 1, Math.round(value * 2 ** (bits - 1))));
    if (float && bits === 64) data.writeDoubleLE(value, at);
    else if (float) data.writeFloatLE(value, at);
    else if (bits === 8) data.writeUInt8(Math.max(0, Math.min(255, Math.round(value * 128 + 128))), at);
    else data.writeIntLE(scaled, at, width);
  }
  const format = Buffer.alloc(extensible ? 40 : 16);
  const kind = float ? 3 : 1;
  format.writeUInt16LE(extensible ? 0xfffe : kind, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(sampleRate, 4);
  format.writeUInt32LE(sampleRate * channels * width, 8);
  format.writeUInt16LE(channels * width, 12);
  format.writeUInt16LE(bits, 14);
  if (extensible) {
    format.writeUInt16LE(22, 16);
    format.writeUInt16LE(kind, 24);
  }
  const body = Buffer.concat([
    Buffer.from('WAVE'),
    ...[...before, ['fmt ', format] as const, ['data', data] as const].map(([tag, bytes]) => wavChunk(tag, bytes)),
  ]);
  return wavChunk('RIFF', body);
}

export function wavChunk(tag: string, bytes: Uint8Array): Uint8Array {
  const head = Buffer.alloc(8);
  head.write(tag, 0, 'latin1');
  head.writeUInt32LE(bytes.byteLength, 4);
  return Buffer.concat([head, bytes, new Uint8Array(bytes.byteLength % 2)]);
}
