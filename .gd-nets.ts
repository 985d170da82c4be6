import { existsSync } from 'node:fs';
import { readModel } from './lib/compiler/readers/read-model.js';
import { runPasses } from './lib/compiler/passes/pass.js';
import { conversion } from './lib/compiler/passes/presets.js';
import { modelToBytes } from './lib/compiler/ir/serialization/write.js';
import { readConversionFixture } from './test/support/conversion-fixture.js';
import { openNumpyFile } from './lib/compiler/data/numpy-file.js';
import { numpyElements } from './lib/compiler/data/numpy-elements.js';
import { Tensor } from './lib/compiler/ir/tensor.js';
import { largestRelativeDifference, toOrt } from './test/support/compare-outputs.js';
import { runModel } from './test/support/run-model.js';
for (const name of process.argv.slice(2)) {
  if (!existsSync(`/tmp/gd-nets/${name}.npz`)) continue;
  try {
    const file = await openNumpyFile(`/tmp/gd-nets/${name}.npz`, name, 'npz');
    const t: Record<string, Tensor> = {};
    for (const { name: n, header, bytes } of file.arrays) t[n] = Tensor.fromTyped(header.dataType as any, header.shape, numpyElements(await bytes.read(header.dataStart, header.shape.reduce((a, b) => a * b, 1) * header.itemBytes), header) as any);
    await file.close();
    const start = performance.now();
    const model = await readModel(`/tmp/gd-nets/${name}.pb`);
    const read = performance.now() - start;
    const before = model.graph.nodes.length;
    await runPasses(model, conversion());
    const total = performance.now() - start;
    const out = await runModel(modelToBytes(model), { x: toOrt(t.x as Tensor) });
    const [y] = Object.values(out);
    const counts: Record<string, number> = {};
    for (const n of model.graph.nodes) counts[n.opType] = (counts[n.opType] ?? 0) + 1;
    console.log(name, 'read', Math.round(read), 'all', Math.round(total), 'nodes', before, '->', model.graph.nodes.length, 'diff', largestRelativeDifference({ y: y as any }, { y: toOrt(t.y as Tensor) }), JSON.stringify(counts));
  } catch (e: any) { console.log(name, e.code, e.message.slice(0, 600)); }
}
