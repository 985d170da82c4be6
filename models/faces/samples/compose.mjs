/**
 * Composes the data that this model is optimized with: `node models/faces/samples/compose.mjs` writes the folders calibration, evaluation and
 * holdout beside itself. Each picture is a part of one of the photos that sources.txt names (they ship in an npm package of the development
 * dependencies, and may not be copied into this repository), scaled so that a marked face is 28 to 150 pixels high, mirrored, lit and noised
 * by a seed. No photo is in two sets. There are no labels: detections are compared with those of the model before it was optimized.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';

const here = import.meta.dirname;
const root = join(here, '../../..');
const PHOTOS = join(root, 'node_modules/@vladmandic/face-api/demo');
const BOXES = join(root, 'test/fixtures/faces/boxes.json');

const SIZE = 256;
const SMALLEST_FACE = 28;
const LARGEST_FACE = 150;

export const SETS = {
  calibration: { photos: ['sample1', 'sample2'], scenes: 64, seed: 11 },
  evaluation: { photos: ['sample3', 'sample4'], scenes: 160, seed: 12 },
  holdout: { photos: ['sample5', 'sample6'], scenes: 400, seed: 13 },
};

/**
 * Writes the pictures of a set, those of each photo into a folder of its name.
 * @param {keyof typeof SETS} name
 * @param {string} folder
 */
export async function composeSet(name, folder) {
  const { photos, scenes, seed } = SETS[name];
  const random = randomNumbers(seed);
  const opened = await Promise.all(photos.map(openPhoto));
  for (const photo of photos) mkdirSync(join(folder, photo), { recursive: true });
  for (let index = 0; index < scenes; index++) {
    const photo = opened[index % opened.length];
    const file = join(folder, photo.name, `${String(index).padStart(4, '0')}.png`);
    const picture = sharp(await composeScene(photo, random), { raw: { width: SIZE, height: SIZE, channels: 3 } });
    writeFileSync(file, await picture.png({ compressionLevel: 3 }).toBuffer());
  }
}

async function openPhoto(name) {
  const { faces } = JSON.parse(readFileSync(BOXES, 'utf8'));
  const picture = sharp(readFileSync(join(PHOTOS, `${name}.jpg`)))
    .removeAlpha()
    .raw();
  const { data, info } = await picture.toBuffer({ resolveWithObject: true });
  return { name, pixels: data, width: info.width, height: info.height, faces: faces[`${name}.jpg`] };
}

async function composeScene({ pixels, width, height, faces }, random) {
  const between = (low, high) => low + (high - low) * random();
  const [left, top, right, bottom] = faces[Math.floor(between(0, faces.length))];
  const face = bottom - top;
  const wanted = SMALLEST_FACE * (LARGEST_FACE / SMALLEST_FACE) ** random();
  const side = Math.min(Math.round((face * SIZE) / wanted), width, height);
  const reach = side / 2 - face * 0.4;
  const start = (centre, limit) =>
    Math.min(Math.max(0, Math.round(centre + between(-reach, reach) - side / 2)), limit - side);
  const region = {
    left: start((left + right) / 2, width),
    top: start((top + bottom) / 2, height),
    width: side,
    height: side,
  };
  const picture = sharp(pixels, { raw: { width, height, channels: 3 } }).extract(region);
  if (random() < 0.5) picture.flop();
  const scaled = await picture.resize(SIZE, SIZE, { fit: 'fill', kernel: 'linear' }).raw().toBuffer();
  const gain = between(0.45, 1.35);
  const offset = between(-20, 20);
  const noise = random() < 0.5 ? between(2, 14) : 0;
  return scaled.map((value) => {
    // Box and Muller's way to a normal distribution.
    const normal = noise === 0 ? 0 : Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.min(255, Math.max(0, Math.round(value * gain + offset + noise * normal)));
  });
}

/** mulberry32: uniform in [0, 1), the same on every machine. */
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const name of Object.keys(SETS)) await composeSet(name, join(here, name));
}
