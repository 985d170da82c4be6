/** Requests that the function captured, the newest first. */
import type { S3Client } from '@aws-sdk/client-s3';
import type { ReplaySource } from '../../../lib/artifact/replay.js';
import { type ReplayedRequest, readRecord } from './replayed-request.js';

/** How far back is looked. */
const DAYS = 7;
const DAY_MS = 86_400_000;
/** Listings of one day; each has up to a thousand objects. */
const MAX_PAGES = 10;
/** Of one object: more than a request and an answer of Lambda's size take. */
const MAX_BYTES = 20 * 1024 * 1024;

export interface CaptureBucket extends Extract<ReplaySource, { kind: 'bucket' }> {
  readonly model: string;
}

export async function* bucketRequests(
  client: S3Client,
  { bucket, prefix, model }: CaptureBucket,
  now = Date.now(),
): AsyncGenerator<ReplayedRequest> {
  const { GetObjectCommand } = await import('@aws-sdk/client-s3');
  for (let day = 0; day < DAYS; day++) {
    const date = new Date(now - day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '/');
    for (const key of await newestKeys(client, bucket, `${prefix}${model}/${date}/`)) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      const text = (await Body?.transformToString()) ?? '';
      for (const [index, line] of text.split('\n').entries()) {
        const request = line.trim() === '' ? undefined : readRecord(line, `${key}:${index + 1}`);
        if (request !== undefined) yield request;
      }
    }
  }
}

/** Listings come in the order of keys, which of a day's is that of its hours. */
async function newestKeys(client: S3Client, bucket: string, prefix: string): Promise<readonly string[]> {
  const { ListObjectsV2Command } = await import('@aws-sdk/client-s3');
  const keys: string[] = [];
  let token: string | undefined;
  for (let page = 0; page < MAX_PAGES && (page === 0 || token !== undefined); page++) {
    const { Contents = [], NextContinuationToken } = await client.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        ...(token === undefined ? {} : { ContinuationToken: token }),
      }),
    );
    for (const { Key, Size = 0 } of Contents) if (Key?.endsWith('.jsonl') && Size <= MAX_BYTES) keys.push(Key);
    token = NextContinuationToken;
  }
  return keys.reverse();
}
