/**
 * What `npm ci` runs at its end: lib as ESM, CommonJS and type declarations, the functions as single files, the
 * runtime layers, all into dist/. Each part is made under a temporary name and moved into place, so that an
 * interrupted run leaves the last good one.
 *
 *   node bin/prepare.mjs [--only lib|types|functions|layers]…
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

/** Runs `make` on an empty folder beside `destination`, then swaps the two. */
async function replace(destination, make) {
  const temporary = `${destination}.${process.pid}.tmp`;
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  try {
    await make(temporary);
    const previous = `${destination}.${process.pid}.old`;
    if (existsSync(destination)) renameSync(destination, previous);
    renameSync(temporary, destination);
    rmSync(previous, { recursive: true, force: true });
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function sourcesOf(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.m?[tj]s$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

const transpile = (format, outdir, entryPoints, define) =>
  build({
    entryPoints,
    outbase: join(root, 'lib'),
    outdir,
    format,
    platform: 'node',
    target: 'node20.11',
    sourcemap: true,
    define,
    logLevel: 'warning',
  });

const parts = {
  async lib() {
    await replace(join(dist, 'esm'), (folder) => transpile('esm', folder, sourcesOf('lib'), {}));
    await replace(join(dist, 'cjs'), async (folder) => {
      // What infrastructure code reaches from lib/index.ts; the compiler and the CLI run as processes of their own, as ESM.
      const sources = ['lib/artifact', 'lib/constructs'].flatMap(sourcesOf);
      const entries = [join(root, 'lib/index.ts'), join(root, 'lib/errors.ts'), ...sources];
      await transpile('cjs', folder, entries, {
        'import.meta.dirname': '__dirname',
        'import.meta.filename': '__filename',
      });
      writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n');
    });
    // For editors: "$schema" in a model.json.
    const { modelJsonSchema } = await import('../dist/esm/artifact/schema.js');
    writeFileSync(join(dist, 'model.schema.json'), modelJsonSchema());
  },
  async types() {
    await replace(join(dist, 'types'), (folder) => {
      const compiler = join(root, 'node_modules/typescript-native/bin/tsc');
      const settings = ['--noEmit', 'false', '--emitDeclarationOnly', '--declaration', '--outDir', folder];
      const run = spawnSync(process.execPath, [compiler, '-p', join(root, 'bin/tsconfig.lib.json'), ...settings], {
        stdio: 'inherit',
      });
      if (run.status !== 0) throw new Error(`type declarations: tsc ended with ${run.status ?? run.signal}`);
    });
  },
  async functions() {
    const { buildFunctions } = await import('../functions/build.mjs');
    await replace(join(dist, 'functions'), (folder) => buildFunctions({ outputDirectory: folder }));
  },
  async layers() {
    const { buildOnnxRuntimeLayer } = await import('../layers/onnxruntime/build.mjs');
    for (const architecture of ['arm64', 'x86_64']) {
      const destination = join(dist, 'layers/onnxruntime', architecture);
      await replace(destination, (folder) => buildOnnxRuntimeLayer({ architecture, outputDirectory: folder }));
    }
  },
};

const { values } = parseArgs({ options: { only: { type: 'string', multiple: true } } });
for (const name of values.only ?? Object.keys(parts)) {
  if (!Object.hasOwn(parts, name)) throw new Error(`--only ${name}: not one of ${Object.keys(parts).join(', ')}`);
  const start = performance.now();
  await parts[name]();
  process.stderr.write(`${name.padEnd(9)} ${Math.round(performance.now() - start)} ms\n`);
}
