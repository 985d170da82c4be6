/** Where a bucket of S3 is asked. https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html */
import { partitionDomain } from './partition.js';

/**
 * Without a slash at its end.
 *
 * @param endpoint another server, which is asked by path (`/bucket/key`); undefined where it is no http or https URL
 */
export function bucketUrl(bucket: string, region: string, endpoint: string | undefined): string | undefined {
  if (endpoint !== undefined) {
    const base = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
    if (base?.protocol !== 'http:' && base?.protocol !== 'https:') return undefined;
    return `${base.origin}${base.pathname.replace(/\/+$/, '')}/${bucket}`;
  }
  const domain = partitionDomain(region);
  // A dot in the bucket's name would not match the certificate of *.s3.<region>.<domain>.
  return bucket.includes('.') ? `https://s3.${region}.${domain}/${bucket}` : `https://${bucket}.s3.${region}.${domain}`;
}
