/** What every rewrite of a graph is, and how a list of them is run. */
import type { Model } from '../ir/model.js';

export interface PassResult {
  readonly modified: boolean;
  /** Why candidates were left alone, one sentence each. */
  readonly declined?: readonly string[];
}

/** Mutates the model in place. */
export interface Pass {
  readonly name: string;
  run(model: Model): PassResult | Promise<PassResult>;
}

/** A pass that waits for nothing. */
export interface ImmediatePass extends Pass {
  run(model: Model): PassResult;
}

/** Passes that make work for one another: run in turn until a whole round changes nothing. */
export interface PassLoop {
  readonly name: string;
  readonly untilUnchanged: readonly Pass[];
}

/** A loop that changes the model this often does not converge; what it reached is valid, and kept. */
const MAXIMUM_ROUNDS = 50;

export interface PassProgress {
  readonly pass: string;
  /** Position in the list, from 0, and its length. */
  readonly index: number;
  readonly count: number;
}

export interface RunPassesOptions {
  /** Called before each pass; a loop is one step. */
  readonly onProgress?: (progress: PassProgress) => void;
}

export interface PassesResult {
  /** Names of the passes that changed the model, each once, in the order of their first change. */
  readonly modified: readonly string[];
  /** Why candidates were left alone by the last run of each pass. */
  readonly declined: readonly { readonly pass: string; readonly reason: string }[];
}

/** Runs passes in order on a model, which they mutate. */
export async function runPasses(
  model: Model,
  passes: readonly (Pass | PassLoop)[],
  options: RunPassesOptions = {},
): Promise<PassesResult> {
  const modified = new Set<string>();
  const declined = new Map<string, readonly string[]>();
  const run = async (pass: Pass): Promise<boolean> => {
    const result = await pass.run(model);
    if (result.modified) modified.add(pass.name);
    declined.set(pass.name, result.declined ?? []);
    return result.modified;
  };
  for (const [index, step] of passes.entries()) {
    options.onProgress?.({ pass: step.name, index, count: passes.length });
    if ('run' in step) await run(step);
    else await runLoop(step.untilUnchanged, run);
  }
  return {
    modified: [...modified],
    declined: [...declined].flatMap(([pass, reasons]) => [...new Set(reasons)].map((reason) => ({ pass, reason }))),
  };
}

async function runLoop(passes: readonly Pass[], run: (pass: Pass) => Promise<boolean>): Promise<void> {
  // Ends as soon as every pass in a row left the model alone, which may be in the middle of a round.
  let unchanged = 0;
  for (let step = 0; step < MAXIMUM_ROUNDS * passes.length && unchanged < passes.length; step++) {
    const pass = passes[step % passes.length];
    if (pass === undefined) return;
    unchanged = (await run(pass)) ? 0 : unchanged + 1;
  }
}
