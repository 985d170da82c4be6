/** Programs as a few files each: hundreds of small modules take Node.js longer to load than most of what the programs do. */
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');

/** What programs start as processes of their own. They look for these beside themselves. */
const PROCESSES = {
  'session-process': 'lib/compiler/runtime/session-process.ts',
  bootstrap: 'lib/local/bootstrap.mjs',
};

/**
 * @param {string} folder Where the files go, all beside one another.
 * @param {Readonly<Record<string, string>>} programs Name in `folder`, without its extension, to the path of a source in this repository.
 */
export async function bundleCommands(folder, programs) {
  const entryPoints = Object.fromEntries(
    Object.entries({ ...PROCESSES, ...programs }).map(([name, source]) => [name, join(root, source)]),
  );
  await build({
    entryPoints,
    outdir: folder,
    bundle: true,
    // What a command needs is loaded when it runs.
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20.11',
    sourcemap: true,
    logLevel: 'warning',
  });
}
