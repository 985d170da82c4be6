/** A process of its own: copies a model, its weights to external data, and prints the peak of its memory in bytes. */

import { writeModel } from '../../lib/compiler/ir/serialization/write.js';
import { readOnnx } from '../../lib/compiler/readers/onnx.js';

const [from = '', to = ''] = process.argv.slice(2);
await writeModel(await readOnnx(from), to, { externalData: { file: 'copy.data', minimumBytes: 1024 } });
process.stdout.write(String(process.resourceUsage().maxRSS * 1024));
