/** What `cdk deploy` does for one stack: assets into the bucket, the template to CloudFormation, wait for the end. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type App, DefaultStackSynthesizer, type IStackSynthesizer } from 'aws-cdk-lib/core';
import { type Zippable, zipSync } from 'fflate';
import { MINISTACK_REGION, type MiniStack } from './ministack.js';

const BUCKET = 'assets';
const BUCKET_LOCATION = `<CreateBucketConfiguration><LocationConstraint>${MINISTACK_REGION}</LocationConstraint></CreateBucketConfiguration>`;
const PAUSE_MS = 200;

/** For stacks that are deployed here: nothing of the bootstrap stack but a bucket. */
export function emulatorSynthesizer(): IStackSynthesizer {
  // aws-cdk-lib's optional properties are typed without `undefined`, its classes with.
  return new DefaultStackSynthesizer({
    fileAssetsBucketName: BUCKET,
    generateBootstrapVersionRule: false,
  }) as IStackSynthesizer;
}

interface AssetManifest {
  readonly files: Readonly<
    Record<
      string,
      {
        readonly source: { readonly path: string; readonly packaging: string };
        readonly destinations: Readonly<Record<string, { readonly objectKey: string }>>;
      }
    >
  >;
}

export interface DeployOptions {
  /** Types of resources that MiniStack does not know, left out with what names them as a dependency. Default: none. */
  readonly without?: RegExp;
}

/** The status in which the stack ends. */
export async function deploy(
  ministack: MiniStack,
  app: App,
  stackName: string,
  { without }: DeployOptions = {},
): Promise<string> {
  const assembly = app.synth();
  const { templateFile, assets } = { ...assembly.getStackByName(stackName), assets: `${stackName}.assets.json` };
  const manifest = JSON.parse(readFileSync(join(assembly.directory, assets), 'utf8')) as AssetManifest;
  const exists = await status(ministack, stackName).then(
    () => true,
    () => false,
  );
  if (!exists) await ministack.put(`/${BUCKET}`, BUCKET_LOCATION);
  for (const { source, destinations } of Object.values(manifest.files)) {
    if (source.packaging !== 'zip') continue;
    const archive = zipSync(readTree(join(assembly.directory, source.path)), { level: 0 });
    for (const { objectKey } of Object.values(destinations)) await ministack.put(`/${BUCKET}/${objectKey}`, archive);
  }
  await ministack.query('cloudformation', exists ? 'UpdateStack' : 'CreateStack', {
    StackName: stackName,
    TemplateBody: leaveOut(readFileSync(join(assembly.directory, templateFile), 'utf8'), without),
    'Capabilities.member.1': 'CAPABILITY_IAM',
  });
  return ended(ministack, stackName);
}

function leaveOut(text: string, types: RegExp | undefined): string {
  if (types === undefined) return text;
  const template = JSON.parse(text) as { Resources: Record<string, { Type: string; DependsOn?: string[] }> };
  const kept = Object.entries(template.Resources).filter(([, { Type }]) => !types.test(Type));
  const ids = new Set(kept.map(([id]) => id));
  const resources = kept.map(([id, resource]) => {
    const { DependsOn, ...others } = resource;
    return [id, DependsOn === undefined ? resource : { ...others, DependsOn: DependsOn.filter((on) => ids.has(on)) }];
  });
  return JSON.stringify({ ...template, Resources: Object.fromEntries(resources) });
}

/** Undefined when the stack is gone, else the status in which it is left. */
export async function destroy(ministack: MiniStack, stackName: string): Promise<string | undefined> {
  await ministack.query('cloudformation', 'DeleteStack', { StackName: stackName });
  const left = await ended(ministack, stackName).catch(() => undefined);
  return left === 'DELETE_COMPLETE' ? undefined : left;
}

async function ended(ministack: MiniStack, stackName: string): Promise<string> {
  for (;;) {
    const now = await status(ministack, stackName);
    if (!now.endsWith('_IN_PROGRESS')) return now;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function status(ministack: MiniStack, stackName: string): Promise<string> {
  const answer = await ministack.query('cloudformation', 'DescribeStacks', { StackName: stackName });
  return /<StackStatus>(\w+)<\/StackStatus>/.exec(answer)?.[1] ?? 'NONE';
}

function readTree(folder: string): Zippable {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(folder.length + 1), new Uint8Array(readFileSync(path))];
    }),
  );
}
