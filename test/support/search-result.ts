/** A search's result, written by hand: reports and locks are tested without a search. Every kind of thing that one can hold is in it. */

import type { Recipe } from '../../lib/artifact/recipe.js';
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import { EMPTY_PLAN } from '../../lib/compiler/quantize/plan.js';
import type { NodeResult, SearchResult } from '../../lib/compiler/quantize/search/search-result.js';
import { randomNumbers } from '../../lib/compiler/runtime/sample-inputs.js';

const STATIC: Recipe = {
  scheme: 'int8-static',
  activations: 'uint8',
  weights: 'int8',
  perChannel: true,
  reduceRange: false,
};
const RECIPES: readonly Recipe[] = [
  STATIC,
  { scheme: 'int8-weight-only', perChannel: true },
  { scheme: 'fp16-storage' },
  { scheme: 'fp32' },
  { scheme: 'int8-dynamic', weights: 'int8', perChannel: true, reduceRange: false },
  { scheme: 'matmul-nbits', bits: 4, blockSize: 32, symmetric: true, accuracyLevel: 4 },
];

export interface SearchResultOptions {
  readonly outcome?: SearchResult['outcome'];
  readonly latency?: SearchResult['latency'];
  readonly nodes?: number;
  /** Stands where a model's own words do: names of nodes and sources. Default: plain names. */
  readonly word?: string;
}

export function searchResult(options: SearchResultOptions = {}): SearchResult {
  const { outcome = 'held', nodes: count = 40, word = 'block' } = options;
  const random = randomNumbers(7);
  const nodes = Array.from({ length: count }, (_, index): NodeResult => {
    const recipe = RECIPES[index % 3 === 0 ? 0 : index % RECIPES.length] ?? STATIC;
    const original = Math.round(random() * 400_000);
    return {
      node: { output: `${word}/${index}/y`, opType: index % 4 === 0 ? 'MatMul' : 'Conv', weights: 'a'.repeat(64) },
      name: index % 5 === 0 ? '' : `${word}_${index}`,
      recipe,
      bytes: { original, chosen: recipe.scheme === 'fp32' ? original : Math.round(original * 0.26) },
      sensitivity: recipe.scheme === 'fp32' ? 0 : 10 ** (-2 - random() * 4),
      snr: recipe.scheme === 'fp32' ? null : 20 + random() * 40,
      alternatives: [
        { recipe: { scheme: 'fp16-storage' }, snr: 61.2, bytes: Math.round(original / 2) },
        { recipe: STATIC, snr: 17.4, bytes: Math.round(original / 4) },
      ],
    };
  });
  const isHeld = outcome === 'held';
  const certificate = {
    status: isHeld ? ('certified' as const) : outcome === 'not-held' ? ('broken' as const) : ('not-certified' as const),
    budget: { metric: 'map', maxLoss: 0.01 },
    unit: '1',
    original: 0.9312,
    value: outcome === 'not-held' ? 0.871 : 0.9287,
    loss: outcome === 'not-held' ? 0.0602 : 0.0025,
    lossBound: isHeld ? 0.0071 : Number.POSITIVE_INFINITY,
    allowedLoss: 0.01,
    confidence: 0.95,
    samples: isHeld ? 412 : 24,
    ...(outcome === 'not-certified' ? { samplesNeeded: 300 } : {}),
    method: isHeld ? ('bootstrap' as const) : ('none' as const),
    reason: isHeld
      ? 'On 412 samples the loss is 0.0025, and with 95 % confidence at most 0.0071.'
      : '24 samples are too few to say more.',
  };
  const timing = (run: number) => ({ run, open: run * 3.1, firstRun: run * 1.4 });
  return {
    outcome,
    architecture: 'x86_64',
    goal: 'latency',
    plan: {
      ...EMPTY_PLAN,
      recipes: nodes.map(({ node, recipe }) => ({ node, recipe })),
      weights: new Map([['bias', Tensor.fromNumbers('float32', [2], [0.5, -0.25])]]),
    },
    session: { graphOptimizationLevel: 'all', configEntries: { 'session.disable_prepacking': '1' } },
    bytes: { original: 4_731_000, chosen: 1_284_000 },
    latency: options.latency ?? {
      kind: 'measured',
      cpu: 'Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz',
      original: timing(18.42),
      chosen: timing(11.06),
    },
    certificate,
    evaluation: { ...certificate, samples: 388, value: 0.9301, loss: 0.0011 },
    groups: [
      { group: `${word}-photos`, samples: 300, value: 0.941, original: 0.944 },
      { group: 'composed', samples: 112, value: 0.895, original: 0.898 },
    ],
    candidates: Array.from({ length: 18 }, (_, index) => {
      const holds = index % 3 !== 0;
      const bytes = 1_180_000 + index * 160_000 + random() * 200_000;
      return {
        name: index === 4 ? 'chosen after repairs' : `${word} λ = 1e-${index}`,
        value: holds ? 0.9312 - random() * 0.009 : 0.9312 - 0.012 - random() * 0.25,
        loss: 0.003,
        holds,
        bytes: index === 4 ? 1_284_000 : bytes,
        ...(index % 4 === 0 ? { timing: timing(index === 4 ? 11.06 : 11 + random() * 12) } : {}),
        schemes: { 'int8-static': 20 - index, 'fp16-storage': index, fp32: 3 },
        chosen: index === 4,
      };
    }).map((candidate) =>
      candidate.chosen ? { ...candidate, value: 0.9301, holds: outcome !== 'not-held' } : candidate,
    ),
    nodes,
    refused: [
      ...nodes
        .slice(0, 9)
        .map(({ node }) => ({ subject: node.output, recipe: STATIC, reason: 'slower than fp32 on this CPU' })),
      { subject: 'smoothing', reason: 'changed nothing' },
      {
        subject: `${word} stem`,
        recipe: { scheme: 'matmul-nbits', bits: 4, blockSize: 32, symmetric: true, accuracyLevel: 4 },
        reason: 'the weight has 3 rows, less than a block',
      },
    ],
    breaking: outcome === 'not-held' ? nodes.slice(0, 3).map(({ node }) => node) : [],
    measured: [
      { metric: 'map', value: certificate.value, unit: '1' },
      { metric: 'run', value: 11.06, unit: 'ms', cpu: 'Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz' },
    ],
    notes: outcome === 'not-certified' ? ['The holdout has 24 samples: the budget is not certified.'] : [],
    effort: { evaluations: 58, samples: 6120, seconds: 201.7, resumed: 0 },
  };
}
