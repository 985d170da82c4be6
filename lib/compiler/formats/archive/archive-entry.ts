/** What an archive says of one of its files, and whether it may be written. */
import { archiveError } from './archive-error.js';

export interface ArchiveEntry {
  /** As the archive has it: not checked. */
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'link' | 'special';
  /** Bytes, as the archive claims. */
  readonly size: number;
  /** Its bytes, as many as claimed. To be read before the next entry is asked for, or not at all. */
  content(): AsyncIterable<Uint8Array>;
}

const LONGEST_NAME = 1024;
const LONGEST_COMPONENT = 255;
const DEEPEST = 32;
/** Names that Windows gives to devices, with any extension. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** What desktop systems put into archives beside the files that people mean. */
const IGNORED = /(^|\/)(__MACOSX|\.DS_Store|Thumbs\.db|desktop\.ini|\._[^/]*)(\/|$)/;

export function isIgnored(name: string): boolean {
  return IGNORED.test(name);
}

/**
 * The parts of an entry's name; empty for the archive's own folder ('./').
 * @throws ModelFormatError ARCHIVE_UNSAFE for a name that could lead outside of the folder that it is unpacked to
 */
export function safeComponents(name: string): readonly string[] {
  const shown = JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name);
  const unsafe = (why: string) => archiveError('ARCHIVE_UNSAFE', `The archive's entry ${shown} ${why}.`);
  if (name.length > LONGEST_NAME) throw unsafe(`has a name of ${name.length} characters`);
  // Both kinds of separators and drives, whatever the machine: an archive must mean the same everywhere.
  if (/^[\\/]|^[A-Za-z]:/.test(name)) throw unsafe('has an absolute path');
  if (name.includes('\\')) throw unsafe('has a backslash in its name');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is refused
  if (/[\u0000-\u001f\u007f]/.test(name)) throw unsafe('has control characters in its name');
  const components = name.split('/').filter((component) => component !== '' && component !== '.');
  if (components.includes('..')) throw unsafe('leaves the folder that it is unpacked to');
  if (components.length > DEEPEST) throw unsafe(`lies ${components.length} folders deep`);
  for (const component of components) {
    if (Buffer.byteLength(component) > LONGEST_COMPONENT) throw unsafe('has a name longer than file systems allow');
    if (DEVICE.test(component)) throw unsafe('has the name of a device');
  }
  return components;
}
