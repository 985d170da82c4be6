import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, TensorProto_DataType } from 'onnx-buf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildOnnxRuntimeLayer } from '../../layers/onnxruntime/build.mjs';
import { compareVersions, highestVersion, neededSymbolVersions } from '../support/elf-symbol-versions.js';
import { NODES_UNDER_TEST, requireNode } from '../support/node24.js';
import { modelProto, nodeProto, valueInfo } from '../support/onnx-messages.js';
import { HOST_ARCHITECTURE } from '../support/predict-function.js';

const ARCHITECTURES = ['arm64', 'x86_64'] as const;
const PACKAGE = 'nodejs/node_modules/onnxruntime-node';
const require = createRequire(import.meta.url);

let folder: string;
const layerOf = (architecture: string) => join(folder, architecture);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-layer-'));
  for (const architecture of ARCHITECTURES) {
    await buildOnnxRuntimeLayer({ architecture, outputDirectory: layerOf(architecture) });
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Files of a folder by relative path, in order. */
function filesOf(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

/** Runs a program where `onnxruntime-node` can only come from the layer, and reads the JSON that it prints. */
function runWithLayer(program: string, { node = process.execPath, extension = 'cjs', args = [] as string[] } = {}) {
  // Beside node_modules, since `import` does not look at NODE_PATH.
  const file = join(layerOf(HOST_ARCHITECTURE), 'nodejs', `program.${extension}`);
  writeFileSync(file, program);
  try {
    const env: Record<string, string | undefined> = { PATH: process.env.PATH };
    return JSON.parse(execFileSync(node, [file, ...args], { encoding: 'utf8', env }));
  } finally {
    rmSync(file);
  }
}

describe('the runtime layer', () => {
  it.each([
    ['arm64', 27e6],
    ['x86_64', 48e6],
  ] as const)('for %s holds one file of each kind in at most %d bytes', (architecture, limit) => {
    const files = filesOf(layerOf(architecture));
    expect(files).toEqual(
      ['LICENSE', 'index.js', 'libonnxruntime.so.1', 'onnxruntime_binding.node', 'package.json'].map((name) =>
        join(PACKAGE, name),
      ),
    );
    const bytes = files.reduce((sum, file) => sum + statSync(join(layerOf(architecture), file)).size, 0);
    expect(bytes).toBeLessThanOrEqual(limit);
    // A library that shrank to nothing would pass as well.
    expect(bytes).toBeGreaterThan(15e6);
  });

  it.each(ARCHITECTURES)('for %s needs no symbol that Amazon Linux 2023 lacks', (architecture) => {
    const root = layerOf(architecture);
    const libraries = filesOf(root).filter((file) => /\.(node|so\.1)$/.test(file));
    expect(libraries).toHaveLength(2);
    for (const file of libraries) {
      const bytes = readFileSync(join(root, file));
      expect(bytes.readUInt16LE(0x12), 'its machine').toBe(architecture === 'arm64' ? 183 : 62);
      const versions = neededSymbolVersions(bytes);
      for (const [family, limit] of [
        ['GLIBC', '2.34'],
        ['GLIBCXX', '3.4.29'],
        ['CXXABI', '1.3.13'],
      ] as const) {
        const highest = highestVersion(versions, family);
        expect(highest, `${family} of ${file}`).toBeDefined();
        expect(compareVersions(highest ?? '', limit), `${family}_${highest} of ${file}`).toBeLessThanOrEqual(0);
      }
    }
  });

  it('comes out byte for byte the same a second time', async () => {
    const again = join(folder, 'again');
    await buildOnnxRuntimeLayer({ architecture: 'x86_64', outputDirectory: again });
    expect(filesOf(again)).toEqual(filesOf(layerOf('x86_64')));
    for (const file of filesOf(again)) {
      expect(readFileSync(join(again, file)).equals(readFileSync(join(layerOf('x86_64'), file))), file).toBe(true);
    }
  });

  it('refuses an architecture that Lambda does not have', async () => {
    const build = buildOnnxRuntimeLayer({ architecture: 'riscv64' as 'arm64', outputDirectory: join(folder, 'riscv') });
    await expect(build).rejects.toThrow("'riscv64' is none of arm64, x86_64");
  });
});

describe.each(NODES_UNDER_TEST)('on $name the runtime of the layer', (target) => {
  it('exports to require and to import what the published package exports', ({ skip }) => {
    const node = requireNode(target, skip);
    const published = Object.keys(require('onnxruntime-node')).sort();
    const required = runWithLayer("console.log(JSON.stringify(Object.keys(require('onnxruntime-node')).sort()));", {
      node,
    });
    expect(required).toEqual(published);
    const imported = runWithLayer(
      `import * as runtime from 'onnxruntime-node';
       import { InferenceSession, Tensor, env } from 'onnxruntime-node';
       import whole from 'onnxruntime-node';
       console.log(JSON.stringify({
         names: Object.keys(runtime).filter((name) => !['default', 'module.exports'].includes(name)).sort(),
         same: whole.Tensor === Tensor && whole.InferenceSession === InferenceSession,
         constructorName: Tensor.name,
         versions: env.versions,
       }));`,
      { node, extension: 'mjs' },
    );
    const { version } = require('onnxruntime-node/package.json');
    expect(imported).toEqual({
      names: published,
      same: true,
      constructorName: 'Tensor',
      versions: { common: version, node: version },
    });
  });

  it('switches telemetry off before the library is loaded', ({ skip }) => {
    const node = requireNode(target, skip);
    const program = `
      const loads = [];
      const dlopen = process.dlopen;
      process.dlopen = (...rest) => { loads.push(process.env.ORT_DISABLE_TELEMETRY); return dlopen.apply(process, rest); };
      require('onnxruntime-node');
      console.log(JSON.stringify(loads));`;
    expect(runWithLayer(program, { node })).toEqual(['1']);
  });

  it('takes float16 as bits, gives it back as bits, and leaves the global Float16Array alone', ({ skip }) => {
    const node = requireNode(target, skip);
    const model = join(folder, 'half.onnx');
    const half = TensorProto_DataType.FLOAT16;
    const graph = {
      node: [nodeProto('Add', ['x', 'x'], ['y'])],
      input: [valueInfo('x', [3], half)],
      output: [valueInfo('y', [3], half)],
    };
    writeFileSync(model, toBinary(ModelProtoSchema, modelProto(graph)));
    const program = `
      const before = globalThis.Float16Array;
      const { InferenceSession, Tensor } = require('onnxruntime-node');
      (async () => {
        const session = await InferenceSession.create(process.argv[2]);
        const x = new Tensor('float16', Uint16Array.of(0x3c00, 0xc000, 0x0001), [3]);
        const { y } = await session.run({ x });
        console.log(JSON.stringify({
          kind: y.data.constructor.name, type: y.type, bits: Array.from(y.data), untouched: globalThis.Float16Array === before,
        }));
      })();`;
    // 1 + 1 = 2, -2 + -2 = -4, and twice the smallest number.
    expect(runWithLayer(program, { node, args: [model] })).toEqual({
      kind: 'Uint16Array',
      type: 'float16',
      bits: [0x4000, 0xc400, 0x0002],
      untouched: true,
    });
  });
});
