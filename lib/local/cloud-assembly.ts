/** Reads what `cdk synth` wrote: stacks with their templates, and where each asset lies. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ConfigurationError } from '../errors.js';

export interface TemplateResource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
}

export interface Template {
  readonly Resources: Readonly<Record<string, TemplateResource>>;
  readonly Parameters: Readonly<Record<string, unknown>>;
  readonly Outputs: Readonly<Record<string, unknown>>;
}

export interface AssemblyStack {
  readonly name: string;
  readonly template: Template;
  /** Absolute folders by the object key that the template names. Archives and images are not among them. */
  readonly assetFolders: ReadonlyMap<string, string>;
  /** Assets that are single files, templates among them. */
  readonly fileAssets: readonly FileAsset[];
}

export interface FileAsset {
  /** With the asset manifest's placeholders for account, region and partition. */
  readonly bucketName: string;
  readonly objectKey: string;
  /** Absolute. */
  readonly path: string;
}

/**
 * Every stack of a cloud assembly, those of nested stages too.
 *
 * @throws ConfigurationError `ASSEMBLY_NOT_FOUND`, `ASSEMBLY_UNREADABLE`
 */
export function readCloudAssembly(folder: string): AssemblyStack[] {
  const manifestFile = join(folder, 'manifest.json');
  if (!existsSync(manifestFile)) {
    throw new ConfigurationError({
      code: 'ASSEMBLY_NOT_FOUND',
      message: `There is no cloud assembly in ${resolve(folder)}.`,
      advice: 'Run `npx cdk synth` first, or leave --assembly out to have the app synthesized.',
    });
  }
  const artifacts = record(readJson(manifestFile).artifacts);
  return Object.entries(artifacts).flatMap(([id, value]) => {
    const artifact = record(value);
    const properties = record(artifact.properties);
    if (artifact.type === 'cdk:cloud-assembly') return readCloudAssembly(join(folder, text(properties.directoryName)));
    if (artifact.type !== 'aws:cloudformation:stack') return [];
    const templateFile = join(folder, text(properties.templateFile));
    const dependencies = Array.isArray(artifact.dependencies) ? artifact.dependencies.map(text) : [];
    const assets = dependencies.flatMap((dependency) => readAssets(folder, record(artifacts[dependency])));
    return [
      {
        name: typeof properties.stackName === 'string' ? properties.stackName : id,
        template: readTemplate(templateFile),
        assetFolders: new Map(assets.flatMap((asset) => (asset.isFolder ? [[asset.objectKey, asset.path]] : []))),
        fileAssets: assets.filter((asset) => !asset.isFolder),
      },
    ];
  });
}

function readTemplate(file: string): Template {
  const template = readJson(file);
  const resources = Object.entries(record(template.Resources)).map(([id, value]) => {
    const resource = record(value);
    return [id, { Type: text(resource.Type), Properties: record(resource.Properties) }] as const;
  });
  return {
    Resources: Object.fromEntries(resources),
    Parameters: record(template.Parameters),
    Outputs: record(template.Outputs),
  };
}

/** What one asset manifest lists of this machine's folders and files, once per destination. */
function readAssets(
  folder: string,
  artifact: Record<string, unknown>,
): readonly (FileAsset & { readonly isFolder: boolean })[] {
  if (artifact.type !== 'cdk:asset-manifest') return [];
  const file = join(folder, text(record(artifact.properties).file));
  return Object.values(record(readJson(file).files)).flatMap((value) => {
    const { source, destinations } = record(value);
    const { path, packaging } = record(source);
    if ((packaging !== 'zip' && packaging !== 'file') || typeof path !== 'string') return [];
    return Object.values(record(destinations)).map((destination) => ({
      bucketName: text(record(destination).bucketName),
      objectKey: text(record(destination).objectKey),
      path: resolve(dirname(file), path),
      isFolder: packaging === 'zip',
    }));
  });
}

function readJson(file: string): Record<string, unknown> {
  try {
    return record(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    throw new ConfigurationError({
      code: 'ASSEMBLY_UNREADABLE',
      message: `${file} could not be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      advice: 'Synthesize again.',
      cause,
    });
  }
}

/** A JSON object, or an empty one for anything else. */
export function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
