/** `cdk-onnx build`: a model folder in, an artifact out. */

import type { Manifest } from '../artifact/manifest.js';
import { formatBytes } from '../artifact/units.js';
import { buildGpuArtifact } from '../compiler/build/gpu-artifact.js';
import type { GpuReport } from '../compiler/build/gpu-variant.js';
import { type BuildReport, buildArtifact } from '../compiler/build.js';
import { ConfigurationError } from '../errors.js';
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
    'only-gpu': { type: 'boolean', description: 'nothing but that variant, which is then the artifact; needs no lock' },
    json: { type: 'boolean', description: 'print the report as one JSON object on stdout' },
  },
  async run({ positionals: [directory = ''], options, signal }) {
    const architecture = oneOf('--architecture', options.architecture ?? 'arm64', ARCHITECTURES);
    const progress = createProgress();
    if (options['only-gpu'] === true) {
      if (options['skip-gpu'] === true) throw nothingToBuild();
      const gpu = await buildGpuArtifact({
        modelDirectory: directory,
        outputDirectory: String(options.out),
        onStep: (name) => progress.step(name),
        signal,
      }).finally(() => progress.done());
      process.stdout.write(options.json === true ? `${JSON.stringify(gpu)}\n` : `${describeGpu(gpu)}\n`);
      return 0;
    }
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

function nothingToBuild(): ConfigurationError {
  return new ConfigurationError({
    code: 'USAGE',
    message: '--only-gpu and --skip-gpu leave nothing to build.',
    advice: 'Give one of them, or none.',
  });
}

/** What was converted and never held against its source should not look as if it had been. */
function parityLines({ parity, source }: BuildReport): string[] {
  if (parity !== undefined) return [`  parity: ${parity.description}`, ...parity.notes.map((note) => `    ${note}`)];
  if (source.format === 'ONNX') return [];
  return ['  not checked against its source: record samples and name them as "parity" in model.json'];
}

function describeGpu({ precision, manifest, equivalence, archive }: GpuReport): string {
  const batches = archive.maxBatchSize === 0 ? 'no batches' : `batches of up to ${archive.maxBatchSize}`;
  const lines = [
    `gpu: ${precision}, ${formatBytes(bytesOf(manifest))}; ${equivalence.description}`,
    `  for Triton: ${batches}${archive.tensorRt ? ', compiled by TensorRT' : ''}`,
  ];
  return lines.map((line) => `  ${line}`).join('\n');
}

function bytesOf({ files }: Manifest): number {
  return files.reduce((sum, file) => sum + file.bytes, 0);
}
