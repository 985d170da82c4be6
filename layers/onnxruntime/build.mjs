/**
 * onnxruntime-node for one architecture, as a Lambda layer: one JavaScript file, the native binding and the library
 * beside it, in place of a package that carries every platform.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const require = createRequire(import.meta.url);
const published = dirname(require.resolve('onnxruntime-node/package.json'));
/** Lambda's names of its processors, and Node.js's. */
const NODE_ARCHITECTURE = { arm64: 'arm64', x86_64: 'x64' };
const BINDING = 'onnxruntime_binding.node';
const LIBRARY = 'libonnxruntime.so.1';

/**
 * Writes `nodejs/node_modules/onnxruntime-node/` below `outputDirectory`: what Lambda unpacks to /opt.
 * The same installed onnxruntime-node gives the same bytes.
 *
 * @param {{ architecture: 'arm64' | 'x86_64', outputDirectory: string }} options
 */
export async function buildOnnxRuntimeLayer({ architecture, outputDirectory }) {
  const nodeArchitecture = NODE_ARCHITECTURE[architecture];
  if (nodeArchitecture === undefined) {
    throw new RangeError(`architecture: '${architecture}' is none of ${Object.keys(NODE_ARCHITECTURE).join(', ')}`);
  }
  const target = join(outputDirectory, 'nodejs/node_modules/onnxruntime-node');
  mkdirSync(target, { recursive: true });
  const native = join(published, 'bin/napi-v6/linux', nodeArchitecture);
  for (const file of [BINDING, LIBRARY]) copyFileSync(join(native, file), join(target, file));
  copyFileSync(join(import.meta.dirname, 'LICENSE.onnxruntime'), join(target, 'LICENSE'));
  writeFileSync(join(target, 'package.json'), packageJson(nodeArchitecture));
  await bundleJavaScript(join(target, 'index.js'));
}

function packageJson(nodeArchitecture) {
  const { name, version, license, repository } = JSON.parse(readFileSync(join(published, 'package.json'), 'utf8'));
  const description = 'onnxruntime-node for one platform, in one file';
  return `${JSON.stringify({ name, version, description, license, repository, main: 'index.js', os: ['linux'], cpu: [nodeArchitecture] }, null, 2)}\n`;
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
