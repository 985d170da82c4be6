/** `cdk-onnx build`: a model folder in, an artifact out. */

import type { Manifest } from '../artifact/manifest.js';
import { formatBytes } from '../artifact/units.js';
import type { GpuReport } from '../compiler/build/gpu-variant.js';
import { type BuildReport, buildArtifact } from '../compiler/build.js';
import type { Command } from './command.js';
import { ARCHITECTURES, oneOf } from './option-values.js';
import { createProgress } from './progress.js';

export const buildCommand: Command = {
  name: 'build',
  summary: 'Builds the artifact of a model folder (one with a model.json).',
  positionals: '<model directory>',
  options: {
    out: {
      type: 'string',
      placeholder: 'DIR',
      required: true,
      description: 'where the artifact goes; replaced if it is one',
    },
    architecture: {
      type: 'string',
      placeholder: 'arm64|x86_64',
      description: 'what a lock is read for (default arm64)',
    },
    'skip-gpu': { type: 'boolean', description: 'without the variant for a GPU that model.json asks for' },
    json: { type: 'boolean', description: 'print the report as one JSON object on stdout' },
  },
  async run({ positionals: [directory = ''], options, signal }) {
    const architecture = oneOf('--architecture', options.architecture ?? 'arm64', ARCHITECTURES);
    const progress = createProgress();
    const report = await buildArtifact({
      modelDirectory: directory,
      outputDirectory: String(options.out),
      architecture,
      gpu: options['skip-gpu'] !== true,
      onStep: (name) => progress.step(name),
      signal,
    }).finally(() => progress.done());
    if (options.json === true) process.stdout.write(`${JSON.stringify(report)}\n`);
    else {
      const { manifest, source, equivalence, gpu } = report;
      process.stdout.write(
        [
          `${manifest.name} ${manifest.contentHash.slice(0, 12)}  ${formatBytes(bytesOf(manifest))} (source ${formatBytes(source.bytes)})`,
          `  ${report.passes.join(', ') || 'no pass changed the model'}`,
          `  ${equivalence.description}`,
          ...parityLines(report),
          ...(gpu === undefined ? [] : [describeGpu(gpu)]),
          ...(report.lock?.notes ?? []).map((note) => `  ${note}`),
          '',
        ].join('\n'),
      );
    }
    return 0;
  },
};

/** What was converted and never held against its source should not look as if it had been. */
function parityLines({ parity, source }: BuildReport): string[] {
  if (parity !== undefined) return [`  parity: ${parity.description}`, ...parity.notes.map((note) => `    ${note}`)];
  if (source.format === 'ONNX') return [];
  return ['  not checked against its source: record samples and name them as "parity" in model.json'];
}

function describeGpu({ precision, manifest, equivalence }: GpuReport): string {
  return `  gpu: ${precision}, ${formatBytes(bytesOf(manifest))}; ${equivalence.description}`;
}

function bytesOf({ files }: Manifest): number {
  return files.reduce((sum, file) => sum + file.bytes, 0);
}
