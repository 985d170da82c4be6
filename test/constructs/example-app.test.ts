import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CFN_LINT, lintTemplates } from '../support/cfn-lint.js';
import { requirePython } from '../support/python.js';

const ROOT = join(import.meta.dirname, '..', '..');
/** A network namespace without any interface but a loopback that is down; `-r` where the account is not root. */
const NO_NETWORK = process.getuid?.() === 0 ? ['unshare', '-n'] : ['unshare', '-rn'];
const canUnshare = spawnSync(NO_NETWORK[0] ?? '', [...NO_NETWORK.slice(1), 'true']).status === 0;
if (!canUnshare && process.env.CI === 'true')
  throw new Error('needs unshare (util-linux) and permission for a network namespace');

describe.skipIf(!canUnshare)(canUnshare ? 'the example app' : 'the example app: skipped: needs unshare', () => {
  let outdir: string;
  beforeAll(() => {
    outdir = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-example-'));
  });
  afterAll(() => rmSync(outdir, { recursive: true, force: true }));

  /** CDK's validation of templates takes most of a synth's time. */
  function synthesize(validate: boolean, ...flags: readonly string[]): string {
    const [command = '', ...prefix] = NO_NETWORK;
    const cdk = [process.execPath, join(ROOT, 'node_modules', 'aws-cdk', 'bin', 'cdk'), 'synth', '--quiet'];
    const child = spawnSync(
      command,
      [...prefix, ...cdk, '--no-notices', '--no-lookups', '--output', outdir, ...flags],
      {
        cwd: ROOT,
        encoding: 'utf8',
        env: {
          PATH: process.env.PATH,
          HOME: outdir,
          CDK_DISABLE_CLI_TELEMETRY: 'true',
          CI: 'true',
          CDK_VALIDATION: String(validate),
        },
      },
    );
    expect(child.stderr, child.stdout).not.toMatch(/error/i);
    expect(child.status).toBe(0);
    return child.stderr + child.stdout;
  }
  const lambda = () => {
    const { Resources } = JSON.parse(readFileSync(join(outdir, 'CdkOnnxExample.template.json'), 'utf8'));
    return (Object.values(Resources) as { Type: string; Properties: Record<string, unknown> }[]).find(
      ({ Type }) => Type === 'AWS::Lambda::Function',
    );
  };

  test('is synthesized by cdk synth without a network, with nothing to warn of, once for one content', () => {
    const first = synthesize(true);
    expect(first).toContain('Bundling asset');
    expect(first).not.toMatch(/warning/i);
    expect(lambda()?.Properties.Architectures).toEqual(['arm64']);
    expect(synthesize(false)).not.toContain('Bundling asset');
  }, 240_000);

  test('has no finding of cfn-lint', ({ skip }) => {
    const python = requirePython(CFN_LINT, skip);
    // Where the test above did not run.
    if (!existsSync(join(outdir, 'CdkOnnxExample.template.json'))) synthesize(false);
    expect(lintTemplates(python, [join(outdir, 'CdkOnnxExample.template.json')])).toEqual([]);
  }, 240_000);

  test('takes its architecture from the context', () => {
    synthesize(false, '--context', 'architecture=x86_64');
    expect(lambda()?.Properties.Architectures).toEqual(['x86_64']);
  }, 240_000);

  test('names its stack without building anything', () => {
    const [command = '', ...prefix] = NO_NETWORK;
    const child = spawnSync(
      command,
      [
        ...prefix,
        process.execPath,
        join(ROOT, 'node_modules', 'aws-cdk', 'bin', 'cdk'),
        'ls',
        '--no-notices',
        '--output',
        join(outdir, 'ls'),
      ],
      {
        cwd: ROOT,
        encoding: 'utf8',
        env: { PATH: process.env.PATH, HOME: outdir, CDK_DISABLE_CLI_TELEMETRY: 'true', CDK_VALIDATION: 'false' },
      },
    );
    expect(child.stdout.trim()).toBe('CdkOnnxExample');
    expect(child.stderr).not.toContain('Bundling asset');
  }, 240_000);
});
