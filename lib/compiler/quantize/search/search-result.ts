/** What a search found: all that a lock and a report need. Plain data, but for the plan's tensors. */
import type { Measurement } from '../../../artifact/lock.js';
import type { Architecture, SessionSettings } from '../../../artifact/manifest.js';
import type { NodeKey, Recipe } from '../../../artifact/recipe.js';
import type { Certificate } from '../../metrics/certificate.js';
import type { QuantizationPlan } from '../plan.js';

export type Goal = 'size' | 'latency' | 'cold-start';

export interface SearchResult {
  /**
   * `held`: the one-sided 95 % bound on the holdout is within the budget. `not-certified`: the holdout itself is, and is too small (or
   * made up) to say more. `not-held`: nothing that was tried kept the budget, or nothing but the untouched model did: `plan` is then the
   * best that was found, `breaking` names what broke it, and the command exits non-zero.
   */
  readonly outcome: 'held' | 'not-certified' | 'not-held';
  readonly architecture: Architecture;
  readonly goal: Goal;
  readonly plan: QuantizationPlan;
  /** What won by measurement for the goal, or what model.json says. */
  readonly session: SessionSettings;
  /** Sizes of the model with its weights as it is written, bytes. */
  readonly bytes: { readonly original: number; readonly chosen: number };
  readonly latency: LatencyResult;
  /** On the holdout. */
  readonly certificate: Certificate;
  /** On the evaluation data, by which it was chosen. */
  readonly evaluation: Certificate;
  /** The holdout by where its samples come from. */
  readonly groups: readonly GroupResult[];
  /** Everything that was checked as a whole: the Pareto plot's points. */
  readonly candidates: readonly CandidateResult[];
  /** Every node that has weights or could have had a recipe, in the graph's order. */
  readonly nodes: readonly NodeResult[];
  readonly refused: readonly Refusal[];
  /** Nodes of `plan` that cost the most accuracy, worst first; empty unless `not-held`. */
  readonly breaking: readonly NodeKey[];
  /** For the lock: sizes, times with their CPU, metric values. */
  readonly measured: readonly Measurement[];
  /** What a reader must be told: made-up data, few samples, latencies of another CPU. */
  readonly notes: readonly string[];
  readonly effort: SearchEffort;
}

export interface SearchEffort {
  /** Passes over samples with a whole model, with how many samples they ran in all. */
  readonly evaluations: number;
  readonly samples: number;
  /** Of this run; a resumed search took longer in all. */
  readonly seconds: number;
  /** Steps whose result came from an interrupted search. */
  readonly resumed: number;
}

export interface GroupResult {
  readonly group: string;
  readonly samples: number;
  readonly value: number;
  readonly original: number;
}

export interface Timing {
  /** Median of warm runs with one thread, milliseconds. */
  readonly run: number;
  /** Median of opening the session, milliseconds. */
  readonly open: number;
  /** Median of the first run, milliseconds. */
  readonly firstRun: number;
}

export type LatencyResult =
  | { readonly kind: 'measured'; readonly cpu: string; readonly original: Timing; readonly chosen: Timing }
  /** This machine is not what the model is for. What it measured all the same chose between recipes, and is given with its CPU. */
  | {
      readonly kind: 'not-measured';
      readonly reason: string;
      readonly here?: { readonly cpu: string; readonly original: Timing; readonly chosen: Timing };
    };

export interface CandidateResult {
  /** Short, unique: what it is. */
  readonly name: string;
  /** The metric on the evaluation data, and how much worse than the original. */
  readonly value: number;
  readonly loss: number;
  /** Whether the budget holds on the evaluation data. */
  readonly holds: boolean;
  readonly bytes: number;
  /** Where it was timed, on this machine. */
  readonly timing?: Timing;
  /** How many nodes have each scheme. */
  readonly schemes: Readonly<Record<string, number>>;
  readonly chosen: boolean;
}

export interface NodeResult {
  readonly node: NodeKey;
  readonly name: string;
  readonly recipe: Recipe;
  /** Of its weights: as they were and as they are. Weights that several nodes share count with the first. */
  readonly bytes: { readonly original: number; readonly chosen: number };
  /** Noise that its recipe alone is predicted to add to the outputs, relative to their energy. */
  readonly sensitivity: number;
  /** Of its own output against float32 on the same inputs, dB; null where it stays in float32. */
  readonly snr: number | null;
  /** What else was possible for it. */
  readonly alternatives: readonly { readonly recipe: Recipe; readonly snr: number; readonly bytes: number }[];
}

export interface Refusal {
  /** A node's first output, the name of a candidate, of a preparation or of a scheme. */
  readonly subject: string;
  readonly recipe?: Recipe;
  readonly reason: string;
}

export type SearchProgress =
  | { readonly kind: 'stage'; readonly name: string }
  | { readonly kind: 'step'; readonly name: string; readonly done: number; readonly of: number }
  | { readonly kind: 'candidate'; readonly candidate: CandidateResult; readonly best: CandidateResult | undefined };
