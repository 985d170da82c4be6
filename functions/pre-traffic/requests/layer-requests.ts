/** Recorded requests that came with the hook. */
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type ReplayedRequest, readRecord } from './replayed-request.js';

/** One after the other, so that memory holds one. */
export async function* layerRequests(folder: string): AsyncGenerator<ReplayedRequest> {
  const files = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.jsonl'))
    .sort();
  for (const file of files) {
    let number = 0;
    for await (const line of createInterface({ input: createReadStream(join(folder, file)) })) {
      number += 1;
      if (line.trim() === '') continue;
      const request = readRecord(line, `${file}:${number}`);
      if (request !== undefined) yield request;
    }
  }
}
