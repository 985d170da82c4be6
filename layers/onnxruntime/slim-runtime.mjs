/** onnxruntime-node for one platform: one JavaScript file, the native binding and the library beside it, in place of a package that carries all. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const require = createRequire(import.meta.url);
const published = dirname(require.resolve('onnxruntime-node/package.json'));
const BINDING = 'onnxruntime_binding.node';

/**
 * The library that the binding looks for in its own folder. Windows' is delay-loaded against DirectML.dll, which only its execution provider
 * needs, and looks for the shader compiler only for WebGPU: sessions on the CPU do without these 40 MB.
 */
const LIBRARY = { linux: 'libonnxruntime.so.1', darwin: 'libonnxruntime.1.dylib', win32: 'onnxruntime.dll' };

/**
 * Writes a package named onnxruntime-node. The same installed onnxruntime-node gives the same bytes.
 *
 * @param {{ platform: string, nodeArchitecture: string, outputDirectory: string }} options as process.platform and process.arch
 */
export async function writeSlimRuntime({ platform, nodeArchitecture, outputDirectory }) {
  mkdirSync(outputDirectory, { recursive: true });
  const native = join(published, 'bin/napi-v6', platform, nodeArchitecture);
  for (const file of [BINDING, LIBRARY[platform]]) copyFileSync(join(native, file), join(outputDirectory, file));
  copyFileSync(join(import.meta.dirname, 'LICENSE.onnxruntime'), join(outputDirectory, 'LICENSE'));
  writeFileSync(join(outputDirectory, 'package.json'), packageJson(platform, nodeArchitecture));
  await bundleJavaScript(join(outputDirectory, 'index.js'));
}

function packageJson(platform, nodeArchitecture) {
  const { name, version, license, repository } = JSON.parse(readFileSync(join(published, 'package.json'), 'utf8'));
  const description = 'onnxruntime-node for one platform, in one file';
  return `${JSON.stringify({ name, version, description, license, repository, main: 'index.js', os: [platform], cpu: [nodeArchitecture] }, null, 2)}\n`;
}

async function bundleJavaScript(outfile) {
  await build({
    stdin: { contents: ENTRY, resolveDir: published, sourcefile: 'entry.js' },
    outfile,
    bundle: true,
    // CommonJS, with its export names spelled out for `import { InferenceSession } from 'onnxruntime-node'`.
    format: 'cjs',
    platform: 'node',
    target: 'node20.11',
    // Names stay: they show in stack traces and as constructor names.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    // Its ECMAScript modules: only their export names are known when the bundle is made.
    alias: { 'onnxruntime-common': onnxruntimeCommon() },
    external: [`./${BINDING}`],
    // The binding takes float16 as its bits in a Uint16Array, and onnxruntime-common would choose Float16Array where the engine has it.
    define: { 'globalThis.Float16Array': 'undefined' },
    banner: {
      js: '/*! onnxruntime-node and onnxruntime-common, Copyright (c) Microsoft Corporation, MIT License: see LICENSE */',
    },
    plugins: [oneBinding],
    logLevel: 'warning',
  });
}

/** Telemetry is on by default on Linux; the library looks at the variable when it is loaded. */
const ENTRY = `
import './disable-telemetry';
import './dist/index.js';
export * from 'onnxruntime-common';
export { listSupportedBackends } from './dist/backend.js';
`;

/** @type {import('esbuild').Plugin} */
const oneBinding = {
  name: 'one-binding',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\.\/disable-telemetry$/ }, ({ path }) => ({ path, namespace: 'telemetry' }));
    onLoad({ filter: /.*/, namespace: 'telemetry' }, () => ({ contents: "process.env.ORT_DISABLE_TELEMETRY = '1';" }));
    onLoad({ filter: /onnxruntime-node[/\\]dist[/\\]binding\.js$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      const dynamic = /require\(`[^`]*\$\{process\.platform\}[^`]*`\)/g;
      if (source.match(dynamic)?.length !== 1) throw new Error(`${path} does not load its binding as expected`);
      return { contents: source.replace(dynamic, `require('./${BINDING}')`), loader: 'js' };
    });
  },
};

function onnxruntimeCommon() {
  const commonjs = createRequire(join(published, 'package.json')).resolve('onnxruntime-common');
  return join(dirname(commonjs), '../esm/index.js');
}
