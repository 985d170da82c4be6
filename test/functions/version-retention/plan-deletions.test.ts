import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FunctionState, planDeletions } from '../../../functions/version-retention/plan-deletions.js';

const RUNTIME = 'arn:aws:lambda:eu-west-1:123456789012:layer:Vision-OnnxRuntime';
const MODEL = 'arn:aws:lambda:eu-west-1:123456789012:layer:Vision-faces';
const FOREIGN = 'arn:aws:lambda:eu-west-1:123456789012:layer:Insights';

const state = (name: string, versions: Record<string, readonly string[]>, more: Partial<FunctionState> = {}) => ({
  name,
  keepVersions: 2,
  versions: Object.entries(versions).map(([version, layerVersionArns]) => ({ version, layerVersionArns })),
  inUse: new Set<string>(),
  ...more,
});

describe('of a function with old versions', () => {
  const faces = state('faces', {
    $LATEST: [`${RUNTIME}:2`, `${MODEL}:12`],
    1: [`${RUNTIME}:1`, `${MODEL}:1`, `${FOREIGN}:1`],
    2: [`${RUNTIME}:2`, `${MODEL}:2`],
    10: [`${RUNTIME}:2`, `${MODEL}:10`],
    12: [`${RUNTIME}:2`, `${MODEL}:12`],
  });

  test('those beyond the newest go, oldest first, with the layers that no other uses and that are ours', () => {
    expect(planDeletions([faces], [RUNTIME, MODEL])).toEqual([
      { functionName: 'faces', version: '1', layerVersionArns: [`${RUNTIME}:1`, `${MODEL}:1`] },
      { functionName: 'faces', version: '2', layerVersionArns: [`${MODEL}:2`] },
    ]);
  });

  test('one that is in use stays, and so do its layers', () => {
    const plan = planDeletions([{ ...faces, inUse: new Set(['1']) }], [RUNTIME, MODEL]);
    expect(plan).toEqual([{ functionName: 'faces', version: '2', layerVersionArns: [`${MODEL}:2`] }]);
  });

  test('layers that another function still uses stay, in whatever version of it', () => {
    const text = state('text', { $LATEST: [`${RUNTIME}:1`] });
    const [first] = planDeletions([faces, text], [RUNTIME, MODEL]);
    expect(first?.layerVersionArns).toEqual([`${MODEL}:1`]);
  });

  test('layers that are not given stay', () => {
    expect(planDeletions([faces], []).flatMap((deletion) => deletion.layerVersionArns)).toEqual([]);
  });
});

/** Functions of one account with layers that they share or not, in any state that Lambda can be in. */
const account = fc
  .array(
    fc.record({
      keepVersions: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(Number.POSITIVE_INFINITY)),
      numbers: fc.uniqueArray(fc.integer({ min: 1, max: 120 }), { maxLength: 14 }),
      layers: fc.array(fc.tuple(fc.constantFrom(RUNTIME, MODEL, FOREIGN), fc.integer({ min: 1, max: 4 })), {
        maxLength: 30,
      }),
      aliased: fc.array(fc.nat(), { maxLength: 3 }),
    }),
    { maxLength: 4 },
  )
  .map((functions) =>
    functions.map(({ keepVersions, numbers, layers, aliased }, index): FunctionState => {
      const layersOf = (position: number) =>
        layers.filter((_, at) => at % (numbers.length + 1) === position).map(([arn, version]) => `${arn}:${version}`);
      return {
        name: `f${index}`,
        keepVersions,
        versions: ['$LATEST', ...numbers.map(String)].map((version, position) => ({
          version,
          layerVersionArns: layersOf(position),
        })),
        inUse: new Set(
          aliased.flatMap((pick) => (numbers.length === 0 ? [] : [String(numbers[pick % numbers.length])])),
        ),
      };
    }),
  );

/** What is there after a plan was carried out. */
const carriedOut = (
  functions: readonly FunctionState[],
  plan: ReturnType<typeof planDeletions>,
): readonly FunctionState[] =>
  functions.map((given) => ({
    ...given,
    versions: given.versions.filter(
      ({ version }) => !plan.some((deletion) => deletion.functionName === given.name && deletion.version === version),
    ),
  }));

describe('whatever there is', () => {
  test('$LATEST, the newest and what is in use stay, and of the others as many as asked', () => {
    fc.assert(
      fc.property(account, (functions) => {
        const remaining = carriedOut(functions, planDeletions(functions, [RUNTIME, MODEL]));
        functions.forEach(({ versions, keepVersions, inUse }, index) => {
          const left = (remaining[index]?.versions ?? []).map(({ version }) => version);
          const numbers = versions.map(({ version }) => Number(version)).filter((version) => version > 0);
          const newest = numbers
            .sort((a, b) => b - a)
            .slice(0, keepVersions)
            .map(String);
          expect(new Set(left)).toEqual(new Set(['$LATEST', ...newest, ...inUse]));
        });
      }),
    );
  });

  test('no layer version goes that a remaining version uses or that is not ours', () => {
    fc.assert(
      fc.property(account, (functions) => {
        const plan = planDeletions(functions, [RUNTIME, MODEL]);
        const used = carriedOut(functions, plan).flatMap(({ versions }) => versions.flatMap((v) => v.layerVersionArns));
        for (const arn of plan.flatMap((deletion) => deletion.layerVersionArns)) {
          expect(used).not.toContain(arn);
          expect(arn.startsWith(FOREIGN)).toBe(false);
        }
      }),
    );
  });

  test('a layer version of ours goes with the last version that used it', () => {
    fc.assert(
      fc.property(account, (functions) => {
        const plan = planDeletions(functions, [RUNTIME, MODEL]);
        const layersOf = (states: readonly FunctionState[]) =>
          states.flatMap(({ versions }) => versions.flatMap((version) => version.layerVersionArns));
        const gone = new Set(plan.flatMap((deletion) => deletion.layerVersionArns));
        const left = new Set(layersOf(carriedOut(functions, plan)));
        const ours = layersOf(functions).filter((arn) => !arn.startsWith(FOREIGN));
        for (const arn of ours) expect(gone.has(arn)).toBe(!left.has(arn));
      }),
    );
  });

  test('after a plan was carried out there is nothing left to do', () => {
    fc.assert(
      fc.property(account, (functions) => {
        const plan = planDeletions(functions, [RUNTIME, MODEL]);
        expect(planDeletions(carriedOut(functions, plan), [RUNTIME, MODEL])).toEqual([]);
      }),
    );
  });
});
