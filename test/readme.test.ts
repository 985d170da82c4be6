/** What README says is run: its commands, its model.json, its stack, its requests to the local endpoint. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manifestSchema } from '../lib/artifact/schema.js';

const root = join(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
// Inside the repository, so that `cdk-onnx` means this package.
const project = join(root, '.cache', 'readme');
const run = promisify(execFile);

function blocks(language: string): string[] {
  return [...readme.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)].flatMap(([, name, text]) =>
    name === language && text ? [text] : [],
  );
}

/** Commands of the `sh` blocks that start with a word. */
function commands(word: string): string[] {
  return blocks('sh')
    .join('')
    .split('\n')
    .filter((line) => line.startsWith(word));
}

const cli = (command: string) =>
  run('sh', ['-c', command.replace('npx cdk-onnx', `'${process.execPath}' '${root}/bin/cdk-onnx.mjs'`)], {
    cwd: project,
  });

describe('README', () => {
  beforeAll(() => {
    rmSync(project, { recursive: true, force: true });
    mkdirSync(join(project, 'models', 'upside-down'), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'));
    cpSync(join(root, 'models', 'faces'), join(project, 'models', 'faces'), { recursive: true });
    const model = blocks('json').find((block) => block.includes('"name": "upside-down"'));
    writeFileSync(join(project, 'models', 'upside-down', 'model.json'), model ?? '');
  });
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  it('has commands that run', async () => {
    const lines = commands('npx cdk-onnx');
    expect(lines).toHaveLength(3);
    for (const line of lines) await cli(line);
    const manifest = JSON.parse(readFileSync(join(project, 'artifacts/upside-down/manifest.json'), 'utf8'));
    expect(manifestSchema.parse(manifest).name).toBe('upside-down');
    expect(existsSync(join(project, 'upscaler.onnx'))).toBe(true);
  });

  it('has a stack that synthesizes, each model a layer and routes', async () => {
    const [stack = ''] = blocks('ts');
    writeFileSync(join(project, 'app.ts'), stack);
    const output = join(project, 'cdk.out');
    await run(process.execPath, ['--import', 'tsx', 'app.ts'], {
      cwd: project,
      env: { ...process.env, CDK_OUTDIR: output, CDK_VALIDATION: 'false' },
    });
    const file = readdirSync(output).find((name) => name.endsWith('.template.json'));
    const template = readFileSync(join(output, file ?? ''), 'utf8');
    for (const route of ['POST /predict/faces', 'POST /predict/upside-down']) expect(template).toContain(route);
    expect(template.match(/"AWS::Lambda::LayerVersion"/g)).toHaveLength(3);
  });

  it('has a REST endpoint that synthesizes, in the stack above it', async () => {
    const [stack = '', rest = ''] = blocks('ts');
    const [, imports = '', endpoint = ''] = /^((?:import .*\n)+)([\s\S]*)$/.exec(rest) ?? [];
    writeFileSync(join(project, 'rest.ts'), imports + stack.replace('app.synth();', `${endpoint}\napp.synth();`));
    const output = join(project, 'cdk.out.rest');
    await run(process.execPath, ['--import', 'tsx', 'rest.ts'], {
      cwd: project,
      env: { ...process.env, CDK_OUTDIR: output, CDK_VALIDATION: 'false' },
    });
    const template = readFileSync(join(output, 'Vision.template.json'), 'utf8');
    for (const type of ['ApiGateway::UsagePlanKey', 'ApiGateway::RequestValidator', 'WAFv2::WebACLAssociation']) {
      expect(template).toContain(`"AWS::${type}"`);
    }
    expect(template).toContain('"index.streamingHandler"');
  });

  it('has endpoints on a GPU that synthesize, in the stack above them', async () => {
    const [stack = ''] = blocks('ts');
    const gpu = blocks('ts').find((block) => block.includes('GpuEndpoint.realTime')) ?? '';
    const [, imports = '', endpoints = ''] = /^((?:import .*\n)+)([\s\S]*)$/.exec(gpu) ?? [];
    writeFileSync(join(project, 'gpu.ts'), imports + stack.replace('app.synth();', `${endpoints}\napp.synth();`));
    const description = join(project, 'models', 'faces', 'model.json');
    const json = JSON.parse(readFileSync(description, 'utf8'));
    writeFileSync(description, JSON.stringify({ ...json, gpu: { precision: 'fp16' } }));
    const output = join(project, 'cdk.out.gpu');
    await run(process.execPath, ['--import', 'tsx', 'gpu.ts'], {
      cwd: project,
      env: { ...process.env, CDK_OUTDIR: output, CDK_VALIDATION: 'false' },
    });
    const template = readFileSync(join(output, 'Vision.template.json'), 'utf8');
    expect(template.match(/"AWS::SageMaker::Endpoint"/g)).toHaveLength(2);
    expect(template).toContain('"HasBacklogWithoutCapacity"');
  });

  it('has requests that the local endpoint answers', async () => {
    const port = 3219;
    const server = spawn(process.execPath, [join(root, 'bin/cdk-onnx.mjs'), 'dev', '--port', String(port)], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(server, 'exit');
    try {
      let log = '';
      await new Promise<void>((resolve) => {
        server.stdout.on('data', (chunk) => {
          log += chunk;
          if (log.includes('/predict/faces')) resolve();
        });
        void exited.then(() => resolve());
      });
      const lines = commands('curl');
      expect(lines.length).toBeGreaterThanOrEqual(2);
      for (const line of lines) {
        const { stdout } = await run('sh', ['-c', `${line.replaceAll('localhost:3000', `127.0.0.1:${port}`)} -sf`], {
          cwd: root,
        });
        const [model] = /\w+$/.exec(line) ?? [];
        expect(JSON.parse(stdout)).toMatchObject(line.includes('predict') ? { model_name: model } : { name: model });
      }
    } finally {
      server.kill('SIGINT');
      await exited;
    }
  });

  it('names files that exist', () => {
    for (const [, path = ''] of readme.matchAll(/\]\(([\w./-]+)\)/g)) {
      expect(() => readFileSync(join(dirname(join(root, 'README.md')), path))).not.toThrow();
    }
  });
});

describe('ARCHITECTURE', () => {
  const architecture = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
  const sources = ['lib', 'functions', 'layers', 'bin', 'test/support'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.(ts|mjs)$/.test(path))
      .map((path) => readFileSync(join(root, folder, path), 'utf8')),
  );

  it('names code that exists', () => {
    const names = [...architecture.matchAll(/`([a-z]+[A-Z]\w+)`/g)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(15);
    const absent = names.filter((name) => !sources.some((source) => source.includes(name)));
    expect(absent).toEqual([]);
  });

  it('names files that exist', () => {
    const paths = [...architecture.matchAll(/(?:^|[ (`|])((?:lib|functions|layers|bin|test)\/[\w./-]+\.(?:ts|mjs))/gm)];
    expect(paths.length).toBeGreaterThan(5);
    for (const [, path = ''] of paths) expect(() => readFileSync(join(root, path)), path).not.toThrow();
  });
});
