/** Single lines for the OCR angle classifier, upright or upside down, as its pipeline cuts them out: 48 pixels high, padded at the right. */
import { Canvas, inkFor, planes } from './canvas.js';
import { drawTexts } from './drawn-text.js';
import { Random } from './random.js';
import { type DataSource, GroupedSamples, type Role } from './sets.js';

const [WIDTH, HEIGHT] = [192, 48];
const COUNTS: Readonly<Record<Role, number>> = { calibration: 96, evaluation: 400, holdout: 1200 };
const SEEDS: Readonly<Record<Role, number>> = { calibration: 31, evaluation: 32, holdout: 33 };
const DRAWN = { count: 240, sizes: [20, 27], mostWords: 2 } as const;

export const textLines: DataSource = {
  identity: `text lines 2 ${JSON.stringify([WIDTH, HEIGHT, COUNTS, SEEDS, DRAWN])}`,
  async write(role, folder) {
    const random = new Random(SEEDS[role]);
    const samples = new GroupedSamples('x', [1, 3, HEIGHT, WIDTH]);
    const texts = await drawTexts(role, DRAWN, random);
    for (let index = 0; index < COUNTS[role]; index++) {
      const text = texts[index % texts.length];
      if (text === undefined) continue;
      const width = Math.min(WIDTH, text.width + random.whole(4, 24));
      const canvas = new Canvas(width, HEIGHT);
      const background = canvas.paintBackground(random);
      const top = Math.max(0, Math.round((HEIGHT - text.height) / 2 + random.between(-2, 2)));
      canvas.paintText(text, random.whole(2, 10), top, inkFor(background, random));
      const pixels = canvas.finish(random, random.chance(0.5) ? random.between(1, 10) : 0);
      samples.add(text.font, padded(pixels, width, random.chance(0.5)));
    }
    samples.write(folder);
  },
};

/** [3, HEIGHT, WIDTH], -1 to 1, zero beyond the line's end. */
function padded(pixels: Float32Array, width: number, isUpsideDown: boolean): Float32Array {
  const lined = planes(pixels, [127.5, 127.5, 127.5], [127.5, 127.5, 127.5]);
  const area = width * HEIGHT;
  const result = new Float32Array(3 * HEIGHT * WIDTH);
  for (let channel = 0; channel < 3; channel++) {
    for (let at = 0; at < area; at++) {
      const from = isUpsideDown ? area - 1 - at : at;
      result[(channel * HEIGHT + Math.floor(at / width)) * WIDTH + (at % width)] = lined[channel * area + from] ?? 0;
    }
  }
  return result;
}
