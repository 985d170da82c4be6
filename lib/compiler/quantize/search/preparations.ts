/** Applies what makes plans more accurate, and finds out which of it does. */
import type { DataSet } from '../../data/data-set.js';
import type { Model } from '../../ir/model.js';
import type { QuantizationPlan } from '../plan.js';
import type { Preparation } from './preparation.js';
import type { Refusal } from './search-result.js';

export interface PrepareOptions {
  readonly model: Model;
  readonly calibration: DataSet;
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** The plan with each preparation applied in turn. */
export async function prepared(
  plan: QuantizationPlan,
  preparations: readonly Preparation[],
  options: PrepareOptions,
): Promise<QuantizationPlan> {
  let current = plan;
  for (const preparation of preparations) {
    options.signal.throwIfAborted();
    current = (await preparation.apply({ ...options, plan: current })) ?? current;
  }
  return current;
}

/** Noise has to fall by this share for a preparation to be worth its weights in the lock. */
const WORTHWHILE = 0.05;

export interface TrialOptions extends PrepareOptions {
  /** Σ noise / Σ signal at the outputs with a plan. */
  readonly outputNoise: (plan: QuantizationPlan) => Promise<number>;
  readonly onTrial: (name: string) => void;
}

export interface Trial {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  readonly helps: boolean;
}

/** Tries preparations one after the other on a plan, on top of those that helped. */
export async function tryPreparations(
  plan: QuantizationPlan,
  preparations: readonly Preparation[],
  options: TrialOptions,
): Promise<{ readonly kept: readonly Preparation[]; readonly trials: readonly Trial[] }> {
  const kept: Preparation[] = [];
  const trials: Trial[] = [];
  let current = plan;
  let before = preparations.length === 0 ? 0 : await options.outputNoise(plan);
  for (const preparation of preparations) {
    options.onTrial(preparation.name);
    const next = await preparation.apply({ ...options, plan: current });
    if (next === undefined) continue;
    const after = await options.outputNoise(next);
    const helps = after < before * (1 - WORTHWHILE);
    trials.push({ name: preparation.name, before, after, helps });
    if (!helps) continue;
    kept.push(preparation);
    [current, before] = [next, after];
  }
  return { kept, trials };
}

/** For the report. */
export function unhelpful(trials: readonly Trial[]): Refusal[] {
  const decibels = (noise: number) => `${(-10 * Math.log10(noise)).toFixed(1)} dB`;
  return trials
    .filter(({ helps }) => !helps)
    .map(({ name, before, after }) => ({
      subject: name,
      reason: `it does not help: ${decibels(before)} without it, ${decibels(after)} with it`,
    }));
}
