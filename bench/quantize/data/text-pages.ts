/** Pages for the OCR detector: lines of text in several sizes and colours on textured backgrounds, some of them askew. */
import { Canvas, inkFor, planes } from './canvas.js';
import { drawTexts } from './drawn-text.js';
import { Random } from './random.js';
import { type DataSource, GroupedSamples, type Role } from './sets.js';

const SIZE = 256;
const COUNTS: Readonly<Record<Role, number>> = { calibration: 48, evaluation: 96, holdout: 320 };
const SEEDS: Readonly<Record<Role, number>> = { calibration: 21, evaluation: 22, holdout: 23 };
const DRAWN = { count: 160, sizes: [11, 25], mostWords: 3 } as const;
/** ImageNet's, as PaddleOCR trains with, in units of 0 to 255. */
const MEAN = [123.675, 116.28, 103.53];
const DEVIATION = [58.395, 57.12, 57.375];

export const textPages: DataSource = {
  identity: `text pages 1 ${JSON.stringify([SIZE, COUNTS, SEEDS, DRAWN])}`,
  async write(role, folder) {
    const random = new Random(SEEDS[role]);
    const samples = new GroupedSamples('x', [1, 3, SIZE, SIZE]);
    const texts = await drawTexts(role, DRAWN, random);
    const fonts = [...new Set(texts.map(({ font }) => font))];
    for (let index = 0; index < COUNTS[role]; index++) {
      const font = fonts[index % fonts.length] ?? '';
      const drawn = texts.filter((text) => text.font === font);
      const canvas = new Canvas(SIZE, SIZE);
      const background = canvas.paintBackground(random);
      const slope = random.chance(0.3) ? random.between(-0.12, 0.12) : 0;
      for (let top = random.whole(4, 40); top < SIZE - 20; ) {
        const text = random.pick(drawn);
        canvas.paintText(
          text,
          random.whole(-10, Math.max(1, SIZE - text.width)),
          top,
          inkFor(background, random),
          slope,
        );
        top += text.height + random.whole(6, 60);
      }
      const pixels = canvas.finish(random, random.chance(0.5) ? random.between(1, 10) : 0);
      samples.add(font, planes(pixels, MEAN, DEVIATION));
    }
    samples.write(folder);
  },
};
