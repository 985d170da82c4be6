/** Tar archives that may hold what no archive of a model should. */
export interface TarEntry {
  readonly name: string;
  readonly content?: Uint8Array | string;
  /** Default '0', a file. */
  readonly type?: string;
  /** What the header says, in place of the content's length. */
  readonly size?: number;
  readonly link?: string;
}

const BLOCK = 512;

/** POSIX ustar, closed by two empty blocks. */
export function tarOf(entries: readonly TarEntry[]): Uint8Array {
  return Uint8Array.from(Buffer.concat([...entries.map(entryOf), Buffer.alloc(2 * BLOCK)]));
}

function entryOf({ name, content = '', type = '0', size, link = '' }: TarEntry): Buffer {
  const bytes = Buffer.from(content);
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0, 100);
  header.write('0000644\0', 100);
  header.write(`${(size ?? bytes.length).toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write(type, 156);
  header.write(link, 157, 100);
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}

/** The content of a pax header. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes;
  while (String(length).length + bytes !== length) length = String(length).length + bytes;
  return `${length}${rest}`;
}
