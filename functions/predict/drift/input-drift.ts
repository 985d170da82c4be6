/**
 * Counts how the inputs of a share of requests are distributed over the bins of the build's profile. What CloudWatch gets are counts, which it adds up
 * over all environments: a single one sees too few requests for an index that says anything.
 */
import {
  binOf,
  DEFAULT_DRIFT_SHARE,
  DRIFT_SHARE_VARIABLE,
  INPUT_PROFILE_VERSION,
  type InputProfile,
  inputBinName,
  type NumericTensor,
  type ProfiledStatistic,
  statisticName,
  statisticsOf,
} from '../../../lib/artifact/input-profile.js';
import type { Manifest } from '../../../lib/artifact/manifest.js';
import { ArtifactError } from '../../../lib/errors.js';
import { fromFloat16Bits } from '../../../lib/protocol/float16.js';
import { isStrings, type NamedTensor } from '../../../lib/protocol/tensor.js';

/** One line of the log at most for so long; an environment that ends takes what it has counted since with it. */
const INTERVAL_MS = 60_000;

/** What was counted of one statistic, by the names of its metrics; bins without a count are left out. */
export interface DriftCounts {
  readonly name: string;
  readonly counts: Readonly<Record<string, number>>;
}

export interface InputDriftOptions {
  readonly profile: InputProfile;
  readonly signature: Manifest['signature'];
  readonly share: number;
  readonly write: (counts: readonly DriftCounts[]) => void;
  readonly random?: () => number;
  /** Milliseconds by a clock that goes on while Lambda freezes the environment. */
  readonly now?: () => number;
}

interface Watched {
  readonly input: string;
  readonly shape: Manifest['signature']['inputs'][number]['shape'];
  readonly statistics: readonly { readonly profiled: ProfiledStatistic; readonly counts: number[] }[];
}

export class InputDrift {
  private readonly watched: readonly Watched[];
  private readonly random: () => number;
  private readonly now: () => number;
  private lastWritten = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: InputDriftOptions) {
    const { profile, signature, random = Math.random, now = Date.now } = options;
    this.random = random;
    this.now = now;
    this.watched = signature.inputs.flatMap(({ name, shape }) => {
      const statistics = profile.statistics
        .filter(({ input }) => input === name)
        .map((profiled) => ({ profiled, counts: new Array<number>(profiled.counts.length).fill(0) }));
      return statistics.length === 0 ? [] : [{ input: name, shape, statistics }];
    });
  }

  /** Looks at the inputs of a request, or does not. */
  observe(inputs: readonly NamedTensor[]): void {
    if (this.random() >= this.options.share) return;
    for (const { input, shape, statistics } of this.watched) {
      const tensor = inputs.find(({ name }) => name === input);
      if (tensor === undefined || isStrings(tensor.data)) continue;
      const values = statisticsOf(
        numericTensor(tensor),
        shape,
        statistics.map(({ profiled }) => profiled.statistic),
      );
      for (const { profiled, counts } of statistics) {
        for (const value of values[profiled.statistic] ?? []) {
          const bin = binOf(profiled.edges, value);
          counts[bin] = (counts[bin] ?? 0) + 1;
        }
      }
    }
    // At once in the first place: many an environment sees few requests.
    if (Math.abs(this.now() - this.lastWritten) >= INTERVAL_MS) this.write();
  }

  private write(): void {
    this.lastWritten = this.now();
    this.options.write(
      this.watched.flatMap(({ statistics }) =>
        statistics.map(({ profiled, counts }) => ({
          name: statisticName(profiled),
          counts: Object.fromEntries(
            counts.flatMap((count, bin) => (count === 0 ? [] : [[inputBinName(bin), count] as const])),
          ),
        })),
      ),
    );
    for (const { statistics } of this.watched) for (const { counts } of statistics) counts.fill(0);
  }
}

function numericTensor({ dataType, data, shape }: NamedTensor): NumericTensor {
  const at =
    dataType === 'float16'
      ? (index: number) => fromFloat16Bits(Number(data[index]))
      : (index: number) => Number(data[index]);
  return { length: data.length, at, shape };
}

/** @throws ArtifactError `INPUT_PROFILE_UNREADABLE` */
export function parseInputProfile(text: string): InputProfile {
  // The build wrote it, and the layer's digest covers it.
  const profile = JSON.parse(text) as InputProfile;
  if (profile.schemaVersion === INPUT_PROFILE_VERSION) return profile;
  throw new ArtifactError({
    code: 'INPUT_PROFILE_UNREADABLE',
    message: `The input profile has schemaVersion ${profile.schemaVersion}, and this function reads ${INPUT_PROFILE_VERSION}.`,
    advice: 'Build the artifact and the function with the same version of cdk-onnx.',
  });
}

/** Which share of requests is looked at. */
export function driftShare(environment: NodeJS.ProcessEnv): number {
  const share = Number(environment[DRIFT_SHARE_VARIABLE] ?? '');
  return environment[DRIFT_SHARE_VARIABLE] && share >= 0 && share <= 1 ? share : DEFAULT_DRIFT_SHARE;
}
