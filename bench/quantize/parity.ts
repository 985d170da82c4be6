/** The arithmetic beside Python's: what both make of the same recorded ranges and weights, to the bit, and what ranges both record. */
import { rm } from 'node:fs/promises';
import type { DataSet } from '../../lib/compiler/data/data-set.js';
import { openDataSet } from '../../lib/compiler/data/open-data-set.js';
import type { Model } from '../../lib/compiler/ir/model.js';
import type { Node } from '../../lib/compiler/ir/node.js';
import type { Value } from '../../lib/compiler/ir/value.js';
import { calibrate } from '../../lib/compiler/quantize/calibration/calibrate.js';
import { roomForBias } from '../../lib/compiler/quantize/parameters/quantize-bias.js';
import { weightParameters } from '../../lib/compiler/quantize/parameters/quantize-weight.js';
import { activationParameters } from '../../lib/compiler/quantize/parameters/scale-and-zero-point.js';
import { readModel } from '../../lib/compiler/readers/read-model.js';
import { inferTypes } from '../../lib/compiler/runtime/infer-types.js';
import { peerRanges, peerSource } from './peers.js';
import { CALIBRATION_SAMPLES, type PreparedBenchModel } from './prepared-model.js';

export interface Parity {
  /** Activations and weights whose parameters were compared. */
  readonly tensors: number;
  /** Of them, those that differ in any bit of a scale or in a zero point. */
  readonly different: readonly string[];
  /** Values whose ranges were compared. */
  readonly ranges: number;
  /** The largest difference of an end of a range, relative to the range's larger end. */
  readonly rangeDifference: number;
  /** Values that Python recorded and we refused, or did not have. */
  readonly missing: readonly string[];
}

interface PeerParameters {
  readonly scale?: readonly number[];
  readonly zero_point?: readonly number[];
}

interface PeerRanges {
  readonly recorded: Readonly<Record<string, readonly [number, number]>>;
  /** As the quantizer used them: Relu's and Softmax's are not those that were recorded. */
  readonly used: Readonly<Record<string, readonly [number, number]>>;
  readonly parameters: Readonly<Record<'uint8' | 'int8', Readonly<Record<string, PeerParameters>>>>;
}

export async function parityOf(model: PreparedBenchModel): Promise<Parity> {
  const source = await peerSource(model);
  const target = `${source}.${process.pid}.ranges`;
  try {
    const answer = await peerRanges(source, model.feeds, String(CALIBRATION_SAMPLES), target);
    const theirs = answer as unknown as PeerRanges;
    const graph = await readModel(source);
    await inferTypes(graph);
    return { ...parametersBeside(theirs, graph), ...(await rangesBeside(theirs, graph, model)) };
  } finally {
    await rm(target, { force: true });
  }
}

function parametersBeside({ used, parameters }: PeerRanges, model: Model): Pick<Parity, 'tensors' | 'different'> {
  const different: string[] = [];
  let tensors = 0;
  const compare = (
    name: string,
    theirs: PeerParameters,
    ours: { scale: readonly number[]; zeroPoint: readonly number[] },
  ) => {
    tensors++;
    const isEqual = (one: readonly number[], other: readonly number[] = []) =>
      one.length === other.length && one.every((value, index) => Object.is(value, other[index]));
    if (!isEqual(ours.scale, theirs.scale) || !isEqual(ours.zeroPoint.map(unsignedZero), theirs.zero_point))
      different.push(name);
  };
  const weights = weightsOf(model);
  for (const dataType of ['uint8', 'int8'] as const) {
    for (const [name, theirs] of Object.entries(parameters[dataType])) {
      const range = used[name];
      const weight = weights.get(name);
      if (range !== undefined) {
        compare(name, theirs, activationParameters(name, { min: range[0], max: range[1] }, { dataType }));
      } else if (weight?.value.initializer !== undefined) {
        const own = weightParameters(name, weight.value.initializer, { dataType: 'int8', axis: weight.axis });
        const [inputScale] = parameters[dataType][weight.node.input(0)?.name ?? '']?.scale ?? [];
        const bias = weight.node.constantInput(2);
        compare(
          name,
          theirs,
          bias === undefined || inputScale === undefined ? own : roomForBias(own, bias, inputScale),
        );
      }
    }
  }
  return { tensors, different };
}

const unsignedZero = (value: number) => value + 0;

interface Weight {
  readonly value: Value;
  /** Of its output channels. */
  readonly axis: number;
  readonly node: Node;
}

/** Weights of products by name. */
function weightsOf({ graph }: Model): Map<string, Weight> {
  const weights = new Map<string, Weight>();
  for (const node of graph.nodes) {
    const value = node.inputs[1];
    const rank = value?.initializer?.dims.length;
    if (value === undefined || rank === undefined) continue;
    const axes: Readonly<Record<string, number>> = {
      Conv: 0,
      ConvTranspose: 1,
      MatMul: rank - 1,
      Gemm: node.attributes.get('transB')?.kind === 'int' && Number(node.attributes.get('transB')?.value) === 1 ? 0 : 1,
    };
    const axis = axes[node.opType];
    if (axis !== undefined) weights.set(value.name, { value, axis, node });
  }
  return weights;
}

async function rangesBeside(
  { recorded }: PeerRanges,
  graph: Model,
  { feeds, signature }: PreparedBenchModel,
): Promise<Pick<Parity, 'ranges' | 'rangeDifference' | 'missing'>> {
  // The same rows: states of sequences are inputs here, as they are to Python.
  const data: DataSet = await openDataSet(feeds, { task: { type: 'tensor' }, signature });
  const rows = { ...data, ids: data.ids.slice(0, CALIBRATION_SAMPLES), read: data.read.bind(data) };
  const values = Object.keys(recorded);
  const { statistics } = await calibrate(graph, rows, { values, methods: ['min-max'] });
  let [rangeDifference, ranges] = [0, 0];
  const missing: string[] = [];
  for (const name of values) {
    const [ours, theirs] = [statistics.get(name), recorded[name]];
    if (ours === undefined || theirs === undefined) {
      missing.push(name);
      continue;
    }
    ranges++;
    const largest = Math.max(Math.abs(theirs[0]), Math.abs(theirs[1])) || 1;
    const furthest = Math.max(Math.abs(ours.min - theirs[0]), Math.abs(ours.max - theirs[1]));
    rangeDifference = Math.max(rangeDifference, furthest / largest);
  }
  return { ranges, rangeDifference, missing };
}
