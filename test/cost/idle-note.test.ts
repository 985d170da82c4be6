import { describe, expect, test } from 'vitest';
import { type IdleResource, idleNote } from '../../lib/cost/idle-note.js';
import { PRICES } from '../../lib/cost/prices.js';

const gpu: IdleResource = { kind: 'instances', instanceType: 'ml.g5.xlarge', count: 2 };
const faces: IdleResource = { kind: 'environments', name: 'faces', count: 1, architecture: 'arm64', memorySize: 1769 };
const unknown: IdleResource = { kind: 'instances', instanceType: 'ml.p5.48xlarge', count: 1 };

describe('what it costs without a request', () => {
  test.each<[string, readonly IdleResource[], string | undefined]>([
    ['nothing', [], undefined],
    ['nothing, of instances that need not be there', [{ ...gpu, count: 0 }], undefined],
    [
      'instances',
      [gpu],
      'Costs $2,055.68 a month without a request: 2 × ml.g5.xlarge $2,055.68. Prices of us-east-1, 2026-11; `cdk-onnx cost` compares.',
    ],
    [
      'environments, and what requests add',
      [faces],
      'Costs $15.13 a month without a request: 1 environment of faces kept ready, 1769 MB, $15.13. A million requests of 100 ms add $1.54 in faces. Prices of us-east-1, 2026-11; `cdk-onnx cost` compares.',
    ],
    [
      'both, and something without a price',
      [gpu, { ...faces, count: 2 }, unknown],
      'Costs $2,085.95 or more a month without a request: 2 × ml.g5.xlarge $2,055.68, 2 environments of faces kept ready, 1769 MB, $30.27, 1 × ml.p5.48xlarge (price not known). A million requests of 100 ms add $1.54 in faces. Prices of us-east-1, 2026-11; `cdk-onnx cost` compares.',
    ],
    [
      'an unknown sum',
      [unknown],
      'Costs an unknown sum a month without a request: 1 × ml.p5.48xlarge (price not known). Prices of us-east-1, 2026-11; `cdk-onnx cost` compares.',
    ],
  ])('%s', (_, resources, note) => {
    expect(idleNote(resources, PRICES)).toBe(note);
  });
});
