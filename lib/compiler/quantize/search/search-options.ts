/** What a search is given. */
import type { Architecture, SessionSettings, Task } from '../../../artifact/manifest.js';
import type { Scheme } from '../../../artifact/recipe.js';
import type { DataSet } from '../../data/data-set.js';
import type { Model } from '../../ir/model.js';
import type { Budget } from '../../metrics/budget.js';
import type { Preparation } from './preparation.js';
import type { Goal, SearchProgress } from './search-result.js';

export interface SearchOptions {
  /** After the presets `normalize` and `lossless`, with types inferred. It is not changed. */
  readonly model: Model;
  /** What times are compared with: path of an ONNX file that computes what the source does. Default: `model` as it is. */
  readonly source?: string | undefined;
  /** What sizes are compared with. Default: those of `source`. */
  readonly sourceBytes?: number | undefined;
  readonly task: Task;
  /** What the model is for. Latencies are measured only where it is this machine's. */
  readonly architecture: Architecture;
  readonly goal: Goal;
  readonly budget: Budget;
  readonly data: {
    readonly calibration: DataSet;
    readonly evaluation: DataSet;
    /** Read once, at the end. Default: half of the evaluation data, chosen by the seed. */
    readonly holdout?: DataSet | undefined;
  };
  /** Default: all. `fp32` is always possible for a node that the others refuse. */
  readonly schemes?: readonly Scheme[] | undefined;
  /** Tried in this order. Default: none. */
  readonly preparations?: readonly Preparation[] | undefined;
  /** As `session` of model.json: used as it is. Default: chosen by measurement. */
  readonly session?: SessionSettings | undefined;
  /** As in model.json: sizes are of the model with its names stripped. Default false. */
  readonly stripNames?: boolean | undefined;
  /** How often each model that is timed is opened. Default 5. */
  readonly timingRounds?: number | undefined;
  /** Default 1. */
  readonly seed?: number | undefined;
  /** Where an interrupted search is remembered. Default: `searches` in the user's cache folder; null remembers nothing. */
  readonly checkpointFolder?: string | null | undefined;
  /** The search stops, and its next run with the same options goes on from there. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SearchProgress) => void) | undefined;
}
