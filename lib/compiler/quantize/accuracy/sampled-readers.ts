/** A few rows of what linear operators multiply, and the largest magnitude of every input channel, gathered while activations stream by. */
import type { DataSet } from '../../data/data-set.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import type { LinearNode } from '../../passes/linear-node.js';
import { type LayerInputs, layerInputsOf } from './layer-inputs.js';
import { type StreamOptions, streamValues } from './stream-values.js';
import { type WeightMatrix, weightMatricesOf } from './weight-matrix.js';

/** Rows that are kept of each operator, and that one run may add. */
const ROWS = 192;
const ROWS_PER_RUN = 12;

export class SampledReader {
  readonly linear: LinearNode;
  readonly matrix: WeightMatrix;
  readonly inputs: LayerInputs;
  /** Largest and smallest x of each input channel, 0 among them. */
  readonly highest: Float64Array;
  readonly lowest: Float64Array;
  /** The rows of group g: depth numbers each. */
  readonly rows: readonly Float32Array[][];

  constructor(linear: LinearNode, matrix: WeightMatrix, inputs: LayerInputs) {
    this.linear = linear;
    this.matrix = matrix;
    this.inputs = inputs;
    this.highest = new Float64Array(linear.inputChannels);
    this.lowest = new Float64Array(linear.inputChannels);
    this.rows = Array.from({ length: inputs.groups }, () => []);
  }

  /** The input channel of element `k` of the rows of a group. */
  channelOf(group: number, k: number): number {
    return this.linear.inputChannelOf(this.matrix.indexOf(group * this.matrix.rowsPerGroup, k));
  }

  add(group: number, row: Float32Array): void {
    const rows = this.rows[group];
    if (rows !== undefined && rows.length < ROWS) rows.push(row);
    for (let k = 0; k < row.length; k++) {
      const channel = this.channelOf(group, k);
      const value = row[k] ?? 0;
      this.highest[channel] = Math.max(this.highest[channel] ?? 0, value);
      this.lowest[channel] = Math.min(this.lowest[channel] ?? 0, value);
    }
  }

  /** As if the values had been divided channel by channel. */
  divide(factors: Float64Array): void {
    for (const [channel, factor] of factors.entries()) {
      this.highest[channel] = (this.highest[channel] ?? 0) / factor;
      this.lowest[channel] = (this.lowest[channel] ?? 0) / factor;
    }
    for (const [group, rows] of this.rows.entries()) {
      for (const row of rows) {
        for (let k = 0; k < row.length; k++) row[k] = (row[k] ?? 0) / (factors[this.channelOf(group, k)] ?? 1);
      }
    }
  }
}

/** Those whose inputs can be seen. */
export async function sampleReaders(
  model: Model,
  readers: readonly LinearNode[],
  data: DataSet,
  options: StreamOptions,
): Promise<ReadonlyMap<Node, SampledReader>> {
  const samples = new Map<Node, SampledReader>();
  for (const linear of readers) {
    const [matrix] = weightMatricesOf(linear.node);
    const inputs = matrix === undefined ? '' : layerInputsOf(matrix);
    if (matrix === undefined || typeof inputs === 'string' || samples.has(linear.node)) continue;
    samples.set(linear.node, new SampledReader(linear, matrix, inputs));
  }
  const names = [...new Set([...samples.values()].flatMap(({ inputs }) => inputs.values))];
  if (names.length === 0) return samples;
  for await (const { values } of streamValues(model, names, data, options)) {
    for (const sample of samples.values()) {
      const { inputs, matrix } = sample;
      if (!inputs.values.every((name) => values.has(name))) continue;
      inputs.forEachRow(values, ROWS_PER_RUN, (group, elementAt) => {
        sample.add(
          group,
          Float32Array.from({ length: matrix.depth }, (_, k) => elementAt(k)),
        );
      });
    }
  }
  return samples;
}
