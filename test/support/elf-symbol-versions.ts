/** Which versions of which libraries' symbols an ELF file needs: its section .gnu.version_r. */

const SHT_GNU_VERNEED = 0x6ffffffe;
const ELF_CLASS_64 = 2;
const LITTLE_ENDIAN = 1;

export interface NeededVersion {
  /** `libc.so.6` */
  readonly library: string;
  /** `GLIBC_2.34` */
  readonly version: string;
}

/** @param file a 64-bit little-endian ELF file */
export function neededSymbolVersions(file: Buffer): NeededVersion[] {
  if (file.toString('latin1', 0, 4) !== '\x7fELF' || file[4] !== ELF_CLASS_64 || file[5] !== LITTLE_ENDIAN) {
    throw new Error('not a 64-bit little-endian ELF file');
  }
  const sections = readSections(file);
  const needed = sections.find(({ type }) => type === SHT_GNU_VERNEED);
  if (needed === undefined) return [];
  const names = sections[needed.link];
  if (names === undefined) throw new Error('the version section has no string table');
  const nameAt = (offset: number) => {
    const start = names.offset + offset;
    return file.toString('latin1', start, file.indexOf(0, start));
  };
  const versions: NeededVersion[] = [];
  let entry = needed.offset;
  for (let index = 0; index < needed.info; index++) {
    const count = file.readUInt16LE(entry + 2);
    const library = nameAt(file.readUInt32LE(entry + 4));
    let auxiliary = entry + file.readUInt32LE(entry + 8);
    for (let version = 0; version < count; version++) {
      versions.push({ library, version: nameAt(file.readUInt32LE(auxiliary + 8)) });
      auxiliary += file.readUInt32LE(auxiliary + 12);
    }
    entry += file.readUInt32LE(entry + 12);
  }
  return versions;
}

function readSections(file: Buffer) {
  const start = Number(file.readBigUInt64LE(0x28));
  const size = file.readUInt16LE(0x3a);
  const count = file.readUInt16LE(0x3c);
  return Array.from({ length: count }, (_, index) => {
    const header = start + index * size;
    return {
      type: file.readUInt32LE(header + 4),
      offset: Number(file.readBigUInt64LE(header + 24)),
      link: file.readUInt32LE(header + 40),
      info: file.readUInt32LE(header + 44),
    };
  });
}

/** The highest version of a family, `2.34` of GLIBC_2.4 and GLIBC_2.34; undefined where none is needed. */
export function highestVersion(versions: readonly NeededVersion[], family: string): string | undefined {
  return versions
    .filter(({ version }) => version.startsWith(`${family}_`))
    .map(({ version }) => version.slice(family.length + 1))
    .sort(compareVersions)
    .at(-1);
}

export function compareVersions(left: string, right: string): number {
  const [a, b] = [left.split('.').map(Number), right.split('.').map(Number)];
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
