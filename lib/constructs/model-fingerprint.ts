/** What a built model depends on, as one hash: files of the model, architecture and versions; no absolute path. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { FileDigests } from '../artifact/file-digests.js';
import { folderDigest, listFolder } from '../artifact/folder-digest.js';
import { resolveModelSource } from '../artifact/model-source.js';
import { packageRoot, toolVersion } from '../artifact/package-root.js';
import { sourceFolder } from '../artifact/source-content.js';
import type { ArchitectureName } from './architecture.js';
import { readModelDirectory } from './model-description.js';

/** What a build is for: a layer of an architecture, or Triton's archive. */
export type BuildTarget = ArchitectureName | 'gpu';

/** Raised when the layout of the staged folder changes. */
const LAYOUT_VERSION = 1;
/** Data for measuring: it may be absent, and decides nothing about the bytes unless model.json names it outside `optimize`. */
const SAMPLES = 'samples/';
/** What `cdk-onnx optimize` tells people of a search; the lock beside it is what a build reads. */
const REPORTS = new Set(['report.html', 'report.json']);

/** Hash of everything that a build of a model folder reads. */
export function fingerprintDirectory(directory: string, target: BuildTarget, digests: FileDigests): string {
  const description = readModelDirectory(directory);
  const { optimize: _, ...read } = description.json;
  const named = new Set(texts(read).map((text) => relative(directory, resolve(directory, text)).replaceAll('\\', '/')));
  const isNamed = (path: string) => named.has(path) || [...named].some((folder) => path.startsWith(`${folder}/`));
  const files = listFolder(directory)
    .map((file) => file.path)
    .filter((path) => !path.endsWith('.md') && !REPORTS.has(path) && (!path.startsWith(SAMPLES) || isNamed(path)));
  const source = resolveModelSource(description.source, directory);
  return fingerprint(target, digests, [
    ...files.map((path) => [path, digests.sha256(join(directory, path))]),
    ...sourceDigests(source, digests),
  ]);
}

/** Hash of a single model file with the external data it names, and of what a model.json would say. */
export function fingerprintFile(file: string, description: unknown, target: BuildTarget, digests: FileDigests): string {
  return fingerprint(target, digests, [JSON.stringify(description), ...sourceDigests(file, digests)]);
}

function fingerprint(target: BuildTarget, digests: FileDigests, content: unknown): string {
  const compiler = join(packageRoot(), 'dist', 'esm', 'compiler');
  return createHash('sha256')
    .update(
      JSON.stringify({
        layout: LAYOUT_VERSION,
        architecture: target,
        tool: toolVersion(),
        // In a checkout the compiler changes without its version.
        compiler: existsSync(compiler) ? folderDigest(compiler, digests) : undefined,
        content,
      }),
    )
    .digest('hex');
}

/** A source's own digest and those of the files beside it that it names: external data. */
function sourceDigests(source: string, digests: FileDigests): unknown[] {
  const whole = sourceFolder(source);
  if (whole !== undefined) return [['source', folderDigest(whole, digests)]];
  const folder = dirname(source);
  const besides = filesBeside(folder).filter((path) => path !== basename(source));
  const names = [...new Set(besides.map((path) => basename(path)))];
  const mentioned = new Set(digests.mentions(source, names));
  return [
    ['source', digests.sha256(source)],
    ...besides
      .filter((path) => mentioned.has(basename(path)))
      .map((path) => [`source/${path}`, digests.sha256(join(folder, path))]),
  ];
}

/** Regular files in a folder and one level below, sorted, with forward slashes. */
function filesBeside(folder: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isFile()) found.push(entry.name);
    else if (entry.isDirectory() && entry.name !== 'node_modules') {
      for (const inner of readdirSync(join(folder, entry.name), { withFileTypes: true })) {
        if (inner.isFile()) found.push(`${entry.name}/${inner.name}`);
      }
    }
  }
  return found.sort();
}

/** Every text in a JSON value. */
function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(texts);
}
