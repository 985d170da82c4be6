/** Lines of made-up words, drawn with the DejaVu fonts (Debian's fonts-dejavu-core and fonts-dejavu-extra). */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Random } from './random.js';
import type { Role } from './sets.js';

const folder = '/usr/share/fonts/truetype/dejavu';
const [CONSONANTS, VOWELS] = ['bcdfghklmnprstvwz', 'aeiou'];

/** File and Pango's name. No font is in two sets. */
const FONTS: Readonly<Record<Role, readonly (readonly [string, string])[]>> = {
  calibration: [
    ['DejaVuSans.ttf', 'DejaVu Sans'],
    ['DejaVuSerif-Bold.ttf', 'DejaVu Serif Bold'],
    ['DejaVuSansMono-Oblique.ttf', 'DejaVu Sans Mono Oblique'],
    ['DejaVuSansCondensed-Bold.ttf', 'DejaVu Sans Bold Condensed'],
  ],
  evaluation: [
    ['DejaVuSans-Bold.ttf', 'DejaVu Sans Bold'],
    ['DejaVuSerif-Italic.ttf', 'DejaVu Serif Italic'],
    ['DejaVuSansMono.ttf', 'DejaVu Sans Mono'],
    ['DejaVuSerifCondensed.ttf', 'DejaVu Serif Condensed'],
  ],
  holdout: [
    ['DejaVuSans-Oblique.ttf', 'DejaVu Sans Oblique'],
    ['DejaVuSerif.ttf', 'DejaVu Serif'],
    ['DejaVuSansMono-Bold.ttf', 'DejaVu Sans Mono Bold'],
    ['DejaVuSansCondensed.ttf', 'DejaVu Sans Condensed'],
  ],
};

export interface DrawnText {
  readonly font: string;
  readonly width: number;
  readonly height: number;
  /** How much ink, 0 to 255, row by row. */
  readonly ink: Uint8Array;
}

export interface DrawOptions {
  readonly count: number;
  /** Smallest and largest size, points at 96 dpi. */
  readonly sizes: readonly [number, number];
  readonly mostWords: number;
}

/** Lines in turn in each font of the set. @throws Error where the fonts are not installed */
export async function drawTexts(
  role: Role,
  { count, sizes, mostWords }: DrawOptions,
  random: Random,
): Promise<DrawnText[]> {
  const texts: DrawnText[] = [];
  for (let index = 0; index < count; index++) {
    const [file, name] = FONTS[role][index % FONTS[role].length] ?? random.pick(FONTS[role]);
    const fontfile = join(folder, file);
    if (!existsSync(fontfile)) {
      throw new Error(`There is no ${fontfile}: install Debian's fonts-dejavu-core and fonts-dejavu-extra.`);
    }
    const size = random.whole(sizes[0], sizes[1] + 1);
    const words = Array.from({ length: random.whole(1, mostWords + 1) }, () => word(random)).join(' ');
    const picture = sharp({ text: { text: words, font: `${name} ${size}`, fontfile, dpi: 96 } });
    const { data, info } = await picture.extractChannel(0).raw().toBuffer({ resolveWithObject: true });
    texts.push({ font: file.replace('.ttf', ''), width: info.width, height: info.height, ink: new Uint8Array(data) });
  }
  return texts;
}

function word(random: Random): string {
  if (random.chance(0.2)) return String(random.whole(0, 10 ** random.whole(1, 6)));
  const syllables = Array.from(
    { length: random.whole(1, 5) },
    () => random.pick([...CONSONANTS]) + random.pick([...VOWELS]),
  );
  const text = syllables.join('') + (random.chance(0.5) ? random.pick([...CONSONANTS]) : '');
  if (random.chance(0.15)) return text.toUpperCase();
  return random.chance(0.3) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}
