/**
 * What `npm ci` runs at its end: what infrastructure code imports as ESM, CommonJS and type declarations, the commands as a few files, and
 * the functions as single files into dist/, the runtimes into their packages below layers/. Each part is made under a temporary name and
 * moved into place, so that an interrupted run leaves the last good one.
 *
 *   node bin/prepare.mjs [--only lib|types|functions|layers|onnxruntime-<platform>]…
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { buildOnnxRuntimePackage, PLATFORMS, packageFolder } from '../layers/onnxruntime/packages.mjs';
import { bundleCommands } from './bundle-commands.mjs';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const LIBRARY = ['lib/artifact', 'lib/cost', 'lib/constructs'];
const COMMONJS = '{ "type": "commonjs" }\n';

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
    // What infrastructure code reaches from lib/index.ts; the compiler and the CLI run as processes of their own.
    const entries = [join(root, 'lib/index.ts'), join(root, 'lib/errors.ts'), ...LIBRARY.flatMap(sourcesOf)];
    await replace(join(dist, 'esm'), (folder) => transpile('esm', folder, entries, {}));
    await replace(join(dist, 'cjs'), async (folder) => {
      await transpile('cjs', folder, entries, {
        'import.meta.dirname': '__dirname',
        'import.meta.filename': '__filename',
      });
      writeFileSync(join(folder, 'package.json'), COMMONJS);
    });
    await replace(join(dist, 'commands'), (folder) => bundleCommands(folder, { main: 'lib/cli/main.ts' }));
    // For editors: "$schema" in a model.json.
    const { modelJsonSchema } = await import('../dist/esm/artifact/schema.js');
    writeFileSync(join(dist, 'model.schema.json'), modelJsonSchema());
  },
  async types() {
    await replace(join(dist, 'types'), (folder) => {
      const compiler = join(root, 'node_modules/typescript-native/bin/tsc');
      const esm = join(folder, 'esm');
      const settings = ['--noEmit', 'false', '--emitDeclarationOnly', '--declaration', '--outDir', esm];
      const run = spawnSync(process.execPath, [compiler, '-p', join(root, 'bin/tsconfig.lib.json'), ...settings], {
        stdio: 'inherit',
      });
      if (run.status !== 0) throw new Error(`type declarations: tsc ended with ${run.status ?? run.signal}`);
      // The same declarations, under a package.json that says what `require` finds: else TypeScript takes it for ECMAScript modules.
      cpSync(esm, join(folder, 'cjs'), { recursive: true });
      writeFileSync(join(folder, 'cjs/package.json'), COMMONJS);
    });
  },
  async functions() {
    const { buildFunctions } = await import('../functions/build.mjs');
    await replace(join(dist, 'functions'), (folder) => buildFunctions({ outputDirectory: folder }));
  },
  async layers() {
    const host = `${process.platform}-${process.arch}`;
    for (const platform of ['linux-arm64', 'linux-x64']) await buildOnnxRuntimePackage(platform, replace);
    if (process.platform === 'linux' || !PLATFORMS.includes(host)) return;
    await buildOnnxRuntimePackage(host, replace);
    linkPackage(host);
  },
};

/** npm links the workspaces, and the package of another host cannot be one: npm refuses a workspace that is not for the platform it runs on. */
function linkPackage(platform) {
  const link = join(root, 'node_modules/@cdk-onnx', `onnxruntime-${platform}`);
  rmSync(link, { recursive: true, force: true });
  symlinkSync(packageFolder(platform), link, 'junction');
}

/** What `npm pack` runs in each of the packages. */
const packages = Object.fromEntries(
  PLATFORMS.map((platform) => [`onnxruntime-${platform}`, () => buildOnnxRuntimePackage(platform, replace)]),
);

const { values } = parseArgs({ options: { only: { type: 'string', multiple: true } } });
for (const name of values.only ?? Object.keys(parts)) {
  const make = { ...parts, ...packages }[name];
  if (make === undefined)
    throw new Error(`--only ${name}: not one of ${Object.keys({ ...parts, ...packages }).join(', ')}`);
  const start = performance.now();
  await make();
  process.stderr.write(`${name.padEnd(9)} ${Math.round(performance.now() - start)} ms\n`);
}
