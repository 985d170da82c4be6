/** Sounds for the voice detector: spoken clips (Debian's pocketsphinx-testdata) with pauses, in noise of four kinds, and noise alone. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from './random.js';
import type { DataSource, Role } from './sets.js';

const folder = '/usr/share/pocketsphinx/test/data';
const RATE = 16_000;
/** 40 windows of 512. */
const LENGTH = 40 * 512;
const NOISES = ['white', 'brown', 'hum', 'babble'] as const;
const RATIOS_DB = [20, 10, 5, 0];
/** No speaker of one set is heard in another, but for the two halves of one reader. */
const CLIPS: Readonly<Record<Role, readonly string[]>> = {
  calibration: ['cards/001.wav', 'cards/002.wav', 'cards/003.wav', 'cards/004.wav', 'cards/005.wav'],
  evaluation: [
    'librivox/sense_and_sensibility_01_austen_64kb-0870.wav',
    'librivox/sense_and_sensibility_01_austen_64kb-0880.wav',
  ],
  holdout: [
    'goforward.raw',
    'numbers.raw',
    'something.raw',
    'librivox/sense_and_sensibility_01_austen_64kb-0890.wav',
    'librivox/sense_and_sensibility_01_austen_64kb-0920.wav',
    'librivox/sense_and_sensibility_01_austen_64kb-0930.wav',
  ],
};
const COUNTS: Readonly<Record<Role, number>> = { calibration: 32, evaluation: 96, holdout: 360 };
const SEEDS: Readonly<Record<Role, number>> = { calibration: 41, evaluation: 42, holdout: 43 };

export const speech: DataSource = {
  identity: `speech 1 ${JSON.stringify([LENGTH, NOISES, RATIOS_DB, CLIPS, COUNTS, SEEDS])}`,
  async write(role, target) {
    const random = new Random(SEEDS[role]);
    const clips = CLIPS[role].map(readClip);
    for (let index = 0; index < COUNTS[role]; index++) {
      const kind = NOISES[index % NOISES.length] ?? 'white';
      const sound = compose(clips, kind, random);
      mkdirSync(join(target, kind), { recursive: true });
      writeFileSync(join(target, kind, `${String(index).padStart(4, '0')}.wav`), wav(sound));
    }
  },
};

function compose(clips: readonly Float32Array[], kind: (typeof NOISES)[number], random: Random): Float32Array {
  const sound = new Float32Array(LENGTH);
  if (random.chance(0.8)) {
    const clip = random.pick(clips);
    const [start, length] = [random.whole(0, LENGTH / 2), random.whole(LENGTH / 4, LENGTH)];
    const from = random.whole(0, Math.max(1, clip.length - length));
    for (let at = 0; at < length && start + at < LENGTH; at++) sound[start + at] = clip[from + at] ?? 0;
  }
  const noise = noiseOf(kind, clips, random);
  const loudness = power(sound) || 0.01;
  const gain = Math.sqrt(loudness / 10 ** (random.pick(RATIOS_DB) / 10) / (power(noise) || 1));
  const level = random.between(0.3, 1.5);
  return sound.map((value, at) => Math.min(1, Math.max(-1, level * (value + gain * (noise[at] ?? 0)))));
}

function noiseOf(kind: (typeof NOISES)[number], clips: readonly Float32Array[], random: Random): Float32Array {
  const noise = new Float32Array(LENGTH);
  switch (kind) {
    case 'white':
      return noise.map(() => random.normal());
    case 'brown': {
      let level = 0;
      return noise.map(() => {
        level = 0.99 * level + random.normal();
        return level;
      });
    }
    case 'hum': {
      const pitch = random.between(45, 130);
      return noise.map(
        (_, at) =>
          Math.sin((2 * Math.PI * pitch * at) / RATE) +
          0.5 * Math.sin((6 * Math.PI * pitch * at) / RATE) +
          random.normal(0.05),
      );
    }
    case 'babble': {
      // Backwards, so that it is no speech; many at once, so that it is no voice.
      for (let voice = 0; voice < 8; voice++) {
        const clip = random.pick(clips);
        const from = random.whole(0, clip.length);
        for (let at = 0; at < LENGTH; at++)
          noise[at] = (noise[at] ?? 0) + (clip[(from + LENGTH * 8 - at) % clip.length] ?? 0);
      }
      return noise;
    }
  }
}

/** Of what is not silence. */
function power(sound: Float32Array): number {
  let [sum, count] = [0, 0];
  for (const value of sound) {
    if (value === 0) continue;
    sum += value * value;
    count++;
  }
  return count === 0 ? 0 : sum / count;
}

/** 16-bit little-endian, with a WAVE header or none. @throws Error where the data is not installed */
function readClip(name: string): Float32Array {
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(folder, name));
  } catch (cause) {
    throw new Error(`${join(folder, name)} cannot be read: install Debian's pocketsphinx-testdata.`, { cause });
  }
  const start = name.endsWith('.wav') ? bytes.indexOf('data', 12, 'latin1') + 8 : 0;
  return Float32Array.from(
    { length: (bytes.length - start) >> 1 },
    (_, at) => bytes.readInt16LE(start + 2 * at) / 32768,
  );
}

function wav(sound: Float32Array): Buffer {
  const bytes = Buffer.alloc(44 + sound.length * 2);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  // PCM, one channel.
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(RATE, 24);
  bytes.writeUInt32LE(RATE * 2, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(sound.length * 2, 40);
  for (const [at, value] of sound.entries()) bytes.writeInt16LE(Math.round(value * 32767), 44 + at * 2);
  return bytes;
}
