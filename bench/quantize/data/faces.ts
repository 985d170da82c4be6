/** Scenes for the face detector: parts of photos, scaled, mirrored, lit and noised. No photo is in two sets. */
import sharp from 'sharp';
import { markedFaces, samplePhoto } from '../../../test/support/sample-photos.js';
import { Random } from './random.js';
import { type DataSource, GroupedSamples, type Role } from './sets.js';

const SIZE = 256;
const PHOTOS: Readonly<Record<Role, readonly string[]>> = {
  calibration: ['sample1.jpg', 'sample2.jpg'],
  evaluation: ['sample3.jpg', 'sample4.jpg'],
  holdout: ['sample5.jpg', 'sample6.jpg'],
};
const COUNTS: Readonly<Record<Role, number>> = { calibration: 64, evaluation: 160, holdout: 400 };
const SEEDS: Readonly<Record<Role, number>> = { calibration: 11, evaluation: 12, holdout: 13 };
/** Height of a face in a scene, pixels. */
const FACE = { smallest: 28, largest: 150 };

export const faceScenes: DataSource = {
  identity: `faces 1 ${JSON.stringify([SIZE, PHOTOS, COUNTS, SEEDS, FACE])} face-api 1.7.15`,
  async write(role, folder) {
    const random = new Random(SEEDS[role]);
    const samples = new GroupedSamples('input:0', [1, SIZE, SIZE, 3]);
    const photos = await Promise.all(PHOTOS[role].map(openPhoto));
    for (let index = 0; index < COUNTS[role]; index++) {
      const photo = photos[index % photos.length];
      if (photo !== undefined) samples.add(photo.name, await scene(photo, random));
    }
    samples.write(folder);
  },
};

interface Photo {
  readonly name: string;
  readonly pixels: Buffer;
  readonly width: number;
  readonly height: number;
}

async function openPhoto(name: string): Promise<Photo> {
  const { data, info } = await sharp(samplePhoto(name)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { name: name.replace('.jpg', ''), pixels: data, width: info.width, height: info.height };
}

async function scene({ name, pixels, width, height }: Photo, random: Random): Promise<Float32Array> {
  const [left, top, right, bottom] = random.pick(markedFaces(`${name}.jpg`));
  const wanted = FACE.smallest * (FACE.largest / FACE.smallest) ** random.between(0, 1);
  const side = Math.min(Math.round(((bottom - top) * SIZE) / wanted), width, height);
  const reach = side / 2 - ((bottom - top) / 2) * 0.8;
  const start = (centre: number, limit: number) =>
    Math.min(Math.max(0, Math.round(centre + random.between(-reach, reach) - side / 2)), limit - side);
  const region = {
    left: start((left + right) / 2, width),
    top: start((top + bottom) / 2, height),
    width: side,
    height: side,
  };
  const picture = sharp(pixels, { raw: { width, height, channels: 3 } }).extract(region);
  if (random.chance(0.5)) picture.flop();
  const scaled = await picture.resize(SIZE, SIZE, { fit: 'fill', kernel: 'linear' }).raw().toBuffer();
  const gain = random.between(0.45, 1.35);
  const offset = random.between(-20, 20);
  const noise = random.chance(0.5) ? random.between(2, 14) : 0;
  return Float32Array.from(scaled, (value) => {
    const lit = Math.round(value * gain + offset + (noise > 0 ? random.normal(noise) : 0));
    return (Math.min(255, Math.max(0, lit)) - 127.5) / 127.5;
  });
}
