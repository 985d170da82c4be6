import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RequestError } from '../../../lib/errors.js';
import { resampleSound } from '../../../lib/tasks/audio/resample-sound.js';
import { decodeWav } from '../../../lib/tasks/audio/wav.js';
import { refusalOf } from '../../support/refusal.js';
import { encodeWav, type WavOptions, wavChunk } from '../../support/wav-writer.js';

const tone = (count: number, frequency: number, sampleRate: number) =>
  Float32Array.from({ length: count }, (_, index) => 0.5 * Math.sin((2 * Math.PI * frequency * index) / sampleRate));

describe('decodeWav', () => {
  const kinds: readonly WavOptions[] = [
    { bits: 8 },
    { bits: 16 },
    { bits: 24 },
    { bits: 32 },
    { bits: 32, float: true },
    { bits: 64, float: true },
    { bits: 16, extensible: true },
    { bits: 32, float: true, extensible: true },
    { bits: 16, before: [['LIST', new Uint8Array(7)]] },
  ];

  it.each(kinds)('reads %o', (options) => {
    const samples = tone(200, 440, 16_000);
    const { sampleRate, samples: read } = decodeWav(encodeWav(samples, { ...options, sampleRate: 22_050 }));
    expect(sampleRate).toBe(22_050);
    expect(read).toHaveLength(200);
    const step = options.float === true ? 1e-7 : 2 ** (1 - Math.min(24, options.bits ?? 16));
    for (const [index, sample] of samples.entries())
      expect(Math.abs((read[index] ?? 9) - sample)).toBeLessThanOrEqual(step);
  });

  it('mixes channels into one', () => {
    const { samples } = decodeWav(encodeWav([0.5, -0.5, 1, 0, 0.25, 0.75], { channels: 2, bits: 32, float: true }));
    expect([...samples]).toEqual([0, 0.5, 0.5]);
  });

  it('takes floats that are no samples for silence', () => {
    const odd = [0.5, 1e300, Number.POSITIVE_INFINITY, Number.NaN, -3e38, 2 ** 31];
    const { samples } = decodeWav(encodeWav(odd, { bits: 64, float: true }));
    expect([...samples]).toEqual([0.5, 0, 0, 0, 0, 2 ** 31]);
  });

  it('reads a sound whose length its writer did not know', () => {
    const wav = Buffer.from(encodeWav([0.5, 0.25]));
    wav.writeUInt32LE(0xffffffff, wav.length - 8);
    expect(decodeWav(wav).samples).toHaveLength(2);
  });

  it.each([
    [new Uint8Array(0), 'SOUND_MISSING'],
    [Buffer.from('ID3 an mp3 file'), 'SOUND_FORMAT_UNKNOWN'],
    [encodeWav([0, 0]).subarray(0, -1), 'SOUND_DAMAGED'],
    [wavChunk('RIFF', Buffer.from('WAVE')), 'SOUND_DAMAGED'],
    [wavChunk('RIFF', Buffer.concat([Buffer.from('WAVE'), wavChunk('data', new Uint8Array(4))])), 'SOUND_DAMAGED'],
    [encodeWav([0], { sampleRate: 10 }), 'SOUND_VARIANT_UNSUPPORTED'],
    [encodeWav([0], { channels: 100 }), 'SOUND_VARIANT_UNSUPPORTED'],
  ])('refuses what is not such a file (%#)', async (bytes, code) => {
    expect((await refusalOf(() => decodeWav(bytes))).code).toBe(code);
  });

  it('refuses sounds that are too long before memory is taken for them', async () => {
    expect((await refusalOf(() => decodeWav(encodeWav(new Float32Array(100)), { maxSamples: 99 }))).code).toBe(
      'SOUND_TOO_LONG',
    );
    const same = { sampleRate: 16_000, samples: new Float32Array(100) };
    expect((await refusalOf(() => resampleSound(same, 16_000, 99))).code).toBe('SOUND_TOO_LONG');
    const short = { sampleRate: 1000, samples: new Float32Array(100) };
    expect((await refusalOf(() => resampleSound(short, 16_000, 1000))).code).toBe('SOUND_TOO_LONG');
  });

  it('answers any damage with a sound or a refusal', () => {
    const samples = tone(50, 440, 16_000);
    const valid = [
      encodeWav(samples, { bits: 24, channels: 2, extensible: true }),
      encodeWav(samples, { bits: 64, float: true }),
    ];
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 });
    fc.assert(
      fc.property(fc.constantFrom(...valid), edits, fc.nat(), (wav, list, cut) => {
        const damaged = Uint8Array.from(wav);
        for (const [at, byte] of list) damaged[at % wav.length] = byte;
        const length = cut % 2 === 0 ? wav.length : cut % wav.length;
        try {
          const { samples } = decodeWav(damaged.subarray(0, length));
          expect(samples.every(Number.isFinite)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(RequestError);
        }
      }),
      { seed: 1, numRuns: 2000 },
    );
  });
});

describe('resampleSound', () => {
  it.each([
    [44_100, 16_000],
    [48_000, 16_000],
    [8000, 16_000],
    [11_025, 16_000],
  ])('keeps a tone of 1 kHz from %i Hz to %i Hz', (from, to) => {
    const resampled = resampleSound({ sampleRate: from, samples: tone(from / 5, 1000, from) }, to, 1e6);
    const expected = tone(resampled.length, 1000, to);
    expect(Math.abs(resampled.length - to / 5)).toBeLessThanOrEqual(1);
    // Away from the ends, where there is sound on one side only.
    for (let index = 200; index < resampled.length - 200; index++) {
      expect(Math.abs((resampled[index] ?? 9) - (expected[index] ?? 9))).toBeLessThan(0.005);
    }
  });

  it('leaves out what the lower rate cannot carry', () => {
    const resampled = resampleSound({ sampleRate: 48_000, samples: tone(9600, 12_000, 48_000) }, 16_000, 1e6);
    expect(Math.max(...resampled.subarray(200, -200).map(Math.abs))).toBeLessThan(0.005);
  });

  it('keeps a constant', () => {
    const resampled = resampleSound({ sampleRate: 44_100, samples: new Float32Array(4410).fill(0.5) }, 16_000, 1e6);
    for (const sample of resampled.subarray(100, -100)) expect(sample).toBeCloseTo(0.5, 5);
  });
});
