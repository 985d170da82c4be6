/** The functions as Lambda gets them: one file each, and what it cannot carry inside beside it. */
import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const require = createRequire(import.meta.url);
/** Found at run time as Node finds packages: below the function's own folder. */
const JPEG_TURBO = '@cwasm/jpeg-turbo';
/** The package's file that is used, and the one that says whose it is and under which licence. */
const JPEG_TURBO_FILES = ['jpeg-turbo.wasm', 'package.json'];
/** Loaded only where a model has a tokenizer.json: apart from the bundle it costs the others nothing. */
const TOKENIZERS = '@huggingface/tokenizers';
const TOKENIZERS_FILES = ['dist/tokenizers.mjs', 'package.json', 'LICENSE'];

/**
 * Writes `predict/index.mjs` and `router/index.mjs` with their parts, `pre-traffic/index.js` and `version-retention/index.js` (handler `index.handler`) below
 * `outputDirectory`. The same sources give the same bytes.
 *
 * @param {{ outputDirectory: string }} options
 */
export async function buildFunctions({ outputDirectory }) {
  await buildPredict(outputDirectory);
  await buildRouter(outputDirectory);
  for (const name of ['pre-traffic', 'version-retention']) await buildWithRuntimeSdk(outputDirectory, name);
}

/**
 * Node's own modules by `require`, all but node:module. An `import` reads every export of a module, which for node:fs alone loads streams
 * and promises: milliseconds of each cold start. Those that `import()` asks for stay as they are.
 *
 * @type {import('esbuild').Plugin}
 */
const requiredBuiltins = {
  name: 'required-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'import-statement' && path !== 'node:module'
        ? { path, namespace: 'required-builtin', sideEffects: false }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'required-builtin' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

/** @type {import('esbuild').BuildOptions} */
const moduleOptions = {
  bundle: true,
  // An ECMAScript module: its top-level await keeps the session's creation inside Lambda's init phase.
  format: 'esm',
  platform: 'node',
  target: 'node20.11',
  minify: true,
  // Names of errors and of functions in stacks, for those who read the log.
  keepNames: true,
  // Licences ask for it.
  legalComments: 'eof',
  banner: {
    js: "import{createRequire as cdkOnnxRequire}from'node:module';const require=cdkOnnxRequire(import.meta.url);",
  },
  plugins: [requiredBuiltins],
  logLevel: 'warning',
};

/** What only some functions load, each a file of its own beside the bundle: the others do not even parse it. */
const PREDICT_PARTS = { './capture/request-capture.js': 'capture.mjs', './drift/input-drift.js': 'drift.mjs' };

/** @type {import('esbuild').Plugin} */
const partsOfPredict = {
  name: 'parts-of-predict',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/(capture|drift)\// }, ({ path, kind }) => {
      const file = kind === 'dynamic-import' ? PREDICT_PARTS[path] : undefined;
      return file === undefined ? undefined : { path: `./${file}`, external: true };
    });
  },
};

async function buildPredict(outputDirectory) {
  const folder = join(outputDirectory, 'predict');
  for (const [part, file] of Object.entries(PREDICT_PARTS)) {
    const entryPoints = [join(import.meta.dirname, 'predict', part.replace(/\.js$/, '.ts'))];
    await build({ ...moduleOptions, entryPoints, outfile: join(folder, file) });
  }
  await build({
    ...moduleOptions,
    plugins: [requiredBuiltins, partsOfPredict],
    entryPoints: [join(import.meta.dirname, 'predict/index.ts')],
    outfile: join(folder, 'index.mjs'),
    // The one comes with the runtime layer, the other lies beside the bundle.
    external: ['onnxruntime-node', TOKENIZERS],
    define: { CDK_ONNX_VERSION: JSON.stringify(packageVersion()) },
  });
  copyTaskPackages(folder);
}

async function buildRouter(outputDirectory) {
  const folder = join(outputDirectory, 'router');
  // Files of an earlier build have other names.
  rmSync(folder, { recursive: true, force: true });
  await build({
    ...moduleOptions,
    entryPoints: [join(import.meta.dirname, 'router/index.ts')],
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    // What translates for a GPU is a file of its own: the requests that Lambda answers do not even parse it.
    splitting: true,
    chunkNames: '[name]-[hash]',
    external: [TOKENIZERS],
  });
  copyTaskPackages(folder);
}

/** What pipelines of tasks read beside the bundle. */
function copyTaskPackages(folder) {
  const target = join(folder, 'node_modules', JPEG_TURBO);
  mkdirSync(target, { recursive: true });
  for (const file of JPEG_TURBO_FILES) copyFileSync(require.resolve(`${JPEG_TURBO}/${file}`), join(target, file));
  copyPackageFiles(TOKENIZERS, TOKENIZERS_FILES, join(folder, 'node_modules', TOKENIZERS));
}

/** By the package's folder: its exports name no files. */
function copyPackageFiles(name, files, target) {
  const source = require.resolve(name).replace(/[\\/]dist[\\/][^\\/]*$/, '');
  for (const file of files) {
    mkdirSync(dirname(join(target, file)), { recursive: true });
    copyFileSync(join(source, file), join(target, file));
  }
}

/** For functions that nobody waits for. */
async function buildWithRuntimeSdk(outputDirectory, name) {
  await build({
    entryPoints: [join(import.meta.dirname, name, 'index.ts')],
    outfile: join(outputDirectory, name, 'index.js'),
    bundle: true,
    // CommonJS: the AWS SDK comes with Lambda's runtime, where only `require` is sure to look.
    format: 'cjs',
    platform: 'node',
    target: 'node20.11',
    minify: true,
    legalComments: 'none',
    external: ['@aws-sdk/*'],
    // An `import()` would not look there either.
    supported: { 'dynamic-import': false },
    logLevel: 'warning',
  });
}

function packageVersion() {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')).version;
}
