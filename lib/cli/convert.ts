/** `cdk-onnx convert`: a model of any format that is read here, as an ONNX file, held against what its source computed. */
import { setFlagsFromString } from 'node:v8';
import { formatBytes } from '../artifact/units.js';
import { type Converted, convertModel } from '../compiler/convert.js';
import { printable } from '../compiler/ir/print.js';
import type { Bisection } from '../compiler/parity/bisect.js';
import { strayText } from '../compiler/parity/gate.js';
import { ConfigurationError } from '../errors.js';
import { type Command, usageError } from './command.js';
import { given } from './option-values.js';
import { createProgress } from './progress.js';
import { textTable } from './text-table.js';

export const convertCommand: Command = {
  name: 'convert',
  summary: 'Converts a model to an ONNX file, and checks it against recorded outputs of its source.',
  positionals: '<model>',
  options: {
    out: {
      type: 'string',
      placeholder: 'FILE',
      required: true,
      description: 'where the ONNX file goes; ends with .onnx',
    },
    signature: {
      type: 'string',
      placeholder: 'NAME',
      description: "which signature of a SavedModel (default 'serving_default', else the only one)",
    },
    check: {
      type: 'string',
      placeholder: 'FILE',
      description: 'recorded samples (.npz with inputs/<name>, outputs/<name>); refuses a model that strays from them',
    },
    tolerance: {
      type: 'string',
      placeholder: 'NUMBER',
      description: 'largest max|Δ|/max|y| of an output (default 1e-4)',
    },
    bisect: {
      type: 'boolean',
      description: 'finds the first layer that strays, where --check holds layers/<name> too',
    },
    json: { type: 'boolean', description: 'print one JSON object on stdout' },
  },
  async run({ positionals: [source = ''], options, signal }) {
    const { check } = options;
    for (const name of ['bisect', 'tolerance']) {
      if (options[name] !== undefined && check === undefined)
        throw usageError(convertCommand, `--${name} needs --check`);
    }
    // V8 would keep what it read of the source until it holds three times the model; collecting earlier costs a second where weights are large.
    setFlagsFromString('--optimize-for-size');
    const progress = createProgress();
    const converted = await convertModel({
      source,
      out: outputPath(String(options.out)),
      bisect: options.bisect === true,
      signal,
      ...given({
        signature: options.signature === undefined ? undefined : String(options.signature),
        check: check === undefined ? undefined : String(check),
        tolerance: toleranceOf(options.tolerance),
      }),
      onStep: (name) => progress.step(name),
      onBisected: (bisection) => progress.note(bisectionText(bisection)),
    }).finally(() => progress.done());
    process.stdout.write(options.json === true ? `${JSON.stringify(converted)}\n` : convertedText(converted));
    return 0;
  },
};

function outputPath(out: string): string {
  if (/\.onnx$/i.test(out)) return out;
  throw new ConfigurationError({
    code: 'USAGE',
    message: `--out is '${out}'.`,
    advice: 'Give a file that ends with .onnx.',
  });
}

function toleranceOf(text: string | boolean | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text !== '' && Number.isFinite(number) && number >= 0) return number;
  throw new ConfigurationError({
    code: 'USAGE',
    message: `--tolerance is '${String(text)}'.`,
    advice: 'Give a part of the largest magnitude of an output, for example 1e-4.',
  });
}

export function convertedText({
  path,
  bytes,
  source,
  opset,
  operators,
  signature,
  equivalence,
  parity,
}: Converted): string {
  const count = Object.values(operators).reduce((sum, number) => sum + number, 0);
  const most = Object.entries(operators)
    .slice(0, 6)
    .map(([name, number]) => `${number} ${name}`);
  const tensors = (list: Converted['signature']['inputs']) =>
    list
      .map(
        ({ name, dataType, shape }) => `${name} ${dataType} [${(shape ?? []).map((size) => size ?? '?').join(', ')}]`,
      )
      .join('; ');
  return [
    `${path}  ${formatBytes(bytes)} (${source.format}, ${formatBytes(source.bytes)})`,
    `  opset ${opset}, ${count} nodes: ${most.join(', ')}${Object.keys(operators).length > most.length ? ', …' : ''}`,
    `  in: ${tensors(signature.inputs)}`,
    `  out: ${tensors(signature.outputs)}`,
    ...(parity === undefined
      ? ['  not checked against its source: record samples and give them with --check']
      : [
          `  parity: ${parity.description}`,
          ...parity.outputs.map(outputLine),
          ...parity.notes.map((note) => `  ${note}`),
        ]),
    `  ${equivalence.description}`,
    '',
  ]
    .map((line) => (line === '' ? '' : printable(line)))
    .join('\n');
}

function outputLine({ output, relativeError, tolerance }: NonNullable<Converted['parity']>['outputs'][number]): string {
  return `    ${output}: ${relativeError.toExponential(1)} (allowed ${tolerance})`;
}

/** The layers around the first that strays; where none does, the worst of them. */
export function bisectionText({ layers, first, notFound, tolerance }: Bisection): string {
  const at = first === undefined ? -1 : layers.indexOf(first);
  const shown =
    first === undefined
      ? layers.toSorted((a, b) => b.relativeError - a.relativeError).slice(0, 3)
      : layers.slice(Math.max(0, at - 3), at + 3);
  const rows = shown.map((layer) => [
    layer === first ? '→' : '',
    layer.layer,
    Number.isFinite(layer.relativeError) ? layer.relativeError.toExponential(1) : '–',
    layer.holds ? '' : (layer.fault ?? ''),
  ]);
  const without =
    notFound.length === 0
      ? []
      : [
          `${notFound.length} recorded layers have no operators of their own here: ${notFound
            .slice(0, 5)
            .map((name) => printable(name))
            .join(', ')}${notFound.length > 5 ? ', …' : ''}`,
        ];
  return [
    first === undefined
      ? `None of ${layers.length} layers strays; the worst:`
      : `The first of ${layers.length} layers that strays is '${printable(first.layer)}': ${printable(first.fault ?? strayText({ ...first, tolerance }))}`,
    textTable([['', 'layer', 'max|Δ|/max|y|', ''], ...rows]),
    ...without,
  ].join('\n');
}
