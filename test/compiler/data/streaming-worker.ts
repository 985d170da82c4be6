/** Reads the data set that its argument describes and says how much memory that took at most. */
import { openDataSet } from '../../../lib/compiler/data/open-data-set.js';

const [path = '', options = ''] = process.argv.slice(2);
const set = await openDataSet(path, JSON.parse(options));
let samples = 0;
for await (const { steps } of set.read()) samples += steps.length;
process.stdout.write(JSON.stringify({ samples, peakBytes: process.resourceUsage().maxRSS * 1024 }));
