/** What a stranger does with our tarballs: a fresh app of `cdk init`, no .npmrc, no network but the npm registry. */
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileDigests } from '../../lib/artifact/file-digests.js';
import { folderDigest } from '../../lib/artifact/folder-digest.js';
import { LOCK_FILE, LOCK_WEIGHTS_FILE } from '../../lib/artifact/lock.js';
import { onnxruntimeLayerFolder } from '../../lib/artifact/onnxruntime-package.js';
import { installedClosure, readPackageLock } from '../support/package-lock.js';
import { finished, missingForRegistryOnly, type RegistryOnly, registryOnly } from '../support/registry-only.js';

const root = join(import.meta.dirname, '../..');
const require = createRequire(import.meta.url);
const TARBALLS = ['cdk-onnx', 'cdk-onnx-onnxruntime-linux-arm64', 'cdk-onnx-onnxruntime-linux-x64'];

const missing = missingForRegistryOnly();
let folder: string | undefined;
let app: string;
let env: NodeJS.ProcessEnv;
let registry: RegistryOnly;

/** Runs a command in the app; fails with what it printed. */
async function inApp(command: string, ...args: readonly string[]): Promise<string> {
  const { code, output } = await registry.run(command, args, { cwd: app, env });
  expect(code, output).toBe(0);
  return output;
}

/** models/faces and its lock, with its file beside model.json: the package that ships it is ours to install, not the stranger's. */
function copyExampleModel(): void {
  const target = join(app, 'models/faces');
  mkdirSync(target, { recursive: true });
  const description = JSON.parse(readFileSync(join(root, 'models/faces/model.json'), 'utf8'));
  const [, packageName = '', file = ''] = /^module:([^/]+)\/(.+)$/.exec(description.source) ?? [];
  copyFileSync(join(root, 'node_modules', packageName, file), join(target, 'faces.onnx'));
  writeFileSync(join(target, 'model.json'), JSON.stringify({ ...description, source: 'faces.onnx' }));
  for (const name of [LOCK_FILE, LOCK_WEIGHTS_FILE]) copyFileSync(join(root, 'models/faces', name), join(target, name));
}

// Under CI a missing tool is a failure.
describe.skipIf(missing !== '' && process.env.CI !== 'true')(`the tarballs in an app of cdk init ${missing}`, () => {
  beforeAll(async () => {
    if (missing !== '') throw new Error(missing);
    folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-package-'));
    app = join(folder, 'my-app');
    const [home, tarballs] = [join(folder, 'home'), join(folder, 'tarballs')];
    for (const path of [app, home, tarballs]) mkdirSync(path);
    // Nothing of this checkout, of npm's variables or of the user's settings.
    const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !entry.includes('node_modules'));
    env = {
      PATH: path.join(delimiter),
      HOME: home,
      TMPDIR: folder,
      CDK_DISABLE_CLI_TELEMETRY: 'true',
      npm_config_cache: join(root, '.cache/npm-of-package-test'),
      npm_config_audit: 'false',
      npm_config_fund: 'false',
      npm_config_update_notifier: 'false',
    };
    registry = await registryOnly(join(folder, 'registry'));

    // dist/ and the runtimes are what `npm run prepare` made last: packing would make them again, for each tarball.
    const pack = [
      'pack',
      '--workspaces',
      '--include-workspace-root',
      '--ignore-scripts',
      '--pack-destination',
      tarballs,
    ];
    const packing = finished(spawn('npm', pack, { cwd: root, env }));
    const init = [require.resolve('aws-cdk/bin/cdk'), 'init', 'app', '--language', 'typescript', '--generate-only'];
    const initialized = await finished(spawn(process.execPath, init, { cwd: app, env }));
    expect(initialized.code, initialized.output).toBe(0);
    cpSync(join(root, 'test/fixtures/cdk-init-app'), app, { recursive: true });
    copyExampleModel();
    const packed = await packing;
    expect(packed.code, packed.output).toBe(0);
    const files = readdirSync(tarballs);
    expect(files.map((file) => file.replace(/-\d.*/, '')).sort()).toEqual(TARBALLS);
    await inApp('npm', 'install', '--foreground-scripts', ...files.map((file) => join(tarballs, file)));
  });

  afterAll(() => {
    registry?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  it('install from the registry and from nowhere else', async () => {
    expect(registry.requests.length).toBeGreaterThan(100);
    expect(
      registry.requests.filter((request) => !/^GET \/(@[^/]+(%2f|\/))?[^/]+(\/-\/[^/]+\.tgz)?$/i.test(request)),
    ).toEqual([]);
    const outside =
      "fetch('https://api.nuget.org/').then(() => console.log('reached'), ({ cause }) => console.log(cause.code))";
    expect(await inApp('node', '-e', outside)).toMatch(/^(EAI_AGAIN|ENOTFOUND|ENETUNREACH)\n$/);
  });

  it('bring no install script, in no package that they depend on', () => {
    const closure = installedClosure(readPackageLock(join(app, 'package-lock.json')), 'cdk-onnx');
    expect(closure.map(({ name }) => name)).toContain('@cdk-onnx/onnxruntime-linux-x64');
    for (const { name, path, hasInstallScript } of closure) {
      const { scripts = {} } = JSON.parse(readFileSync(join(app, path, 'package.json'), 'utf8'));
      // npm runs these after it has unpacked a package; "prepare" is for checkouts.
      expect(
        Object.keys(scripts).filter((script) => /^(pre|post)?install$/.test(script)),
        name,
      ).toEqual([]);
      expect(hasInstallScript, name).toBe(false);
    }
  });

  it("pass the app's jest", async () => {
    expect(await inApp('npx', 'jest')).toMatch(/Tests: +2 passed, 2 total/);
  });

  it('synthesize, with the layers of both architectures byte for byte', async () => {
    await inApp('npx', 'cdk', 'synth', '--quiet', '--no-notices');
    const { Resources } = JSON.parse(readFileSync(join(app, 'cdk.out/MyAppStack.template.json'), 'utf8'));
    const types = Object.values<{ Type: string }>(Resources).map(({ Type }) => Type);
    expect(types).toEqual(
      expect.arrayContaining(['AWS::ApiGatewayV2::Api', 'AWS::Lambda::Function', 'AWS::Lambda::LayerVersion']),
    );
    const digestOf = (path: string) => folderDigest(path, new FileDigests({ cacheFile: join(app, 'digests.json') }));
    const assets = readdirSync(join(app, 'cdk.out')).filter((name) => name.startsWith('asset.'));
    const layers = assets.filter((name) =>
      existsSync(join(app, 'cdk.out', name, 'nodejs/node_modules/onnxruntime-node')),
    );
    const ours = [onnxruntimeLayerFolder('arm64'), onnxruntimeLayerFolder('x86_64')];
    expect(layers.map((name) => digestOf(join(app, 'cdk.out', name))).sort()).toEqual(ours.map(digestOf).sort());
  });

  it('inspect and build a model on the command line, with the slim runtime of this host', async () => {
    expect(await inApp('npx', 'cdk-onnx', 'inspect', 'models/faces/faces.onnx')).toContain('input:0');
    await inApp('npx', 'cdk-onnx', 'build', 'models/faces', '--out', 'artifacts/faces');
    const manifest = JSON.parse(readFileSync(join(app, 'artifacts/faces/manifest.json'), 'utf8'));
    expect(manifest).toMatchObject({
      name: 'faces',
      onnxruntimeVersion: require('onnxruntime-node/package.json').version,
    });
  });

  it('serve a prediction on this machine', async () => {
    const photo = join(root, 'node_modules/@vladmandic/face-api/demo/sample1.jpg');
    expect(await inApp('node', 'serve.mjs', photo)).toContain('"label":"face"');
  });

  it('have types that hold without skipLibCheck, in files of either module system', async () => {
    await inApp('npx', 'tsc', '--noEmit', '--skipLibCheck', 'false');
  });

  it('load by require and by import, and export the same names', async () => {
    const required = await inApp('node', '-p', "JSON.stringify(Object.keys(require('cdk-onnx')).sort())");
    const program = "import * as all from 'cdk-onnx'; console.log(JSON.stringify(Object.keys(all).sort()))";
    const imported = await inApp('node', '--input-type=module', '-e', program);
    expect(JSON.parse(imported)).toEqual(JSON.parse(required));
    expect(JSON.parse(required)).toContain('InferenceEndpoint');
  });
});
