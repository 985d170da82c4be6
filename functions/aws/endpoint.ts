/** Where a service of AWS is asked. */
import { ConfigurationError } from '../../lib/errors.js';
import { partitionDomain } from './partition.js';

/** What the variables and the addresses of a service are called. */
export interface ServiceNames {
  /** Behind AWS_ENDPOINT_URL_. https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html */
  readonly variable: string;
  /** In front of the region. */
  readonly host: string;
}

export interface Endpoint {
  /** Without a slash at its end. */
  readonly url: string;
  readonly region: string;
}

/**
 * The service's variable, else AWS_ENDPOINT_URL, else its regional address.
 *
 * @throws ConfigurationError `REGION_MISSING`, `ENDPOINT_INVALID`
 */
export function readEndpoint({ variable, host }: ServiceNames, environment: NodeJS.ProcessEnv): Endpoint {
  const region = environment.AWS_REGION || environment.AWS_DEFAULT_REGION;
  if (!region) {
    throw new ConfigurationError({
      code: 'REGION_MISSING',
      message: 'The environment has no AWS_REGION.',
      advice: 'Lambda sets it; elsewhere set it yourself.',
    });
  }
  const name = [`AWS_ENDPOINT_URL_${variable}`, 'AWS_ENDPOINT_URL'].find((each) => environment[each]);
  if (name === undefined) return { url: `https://${host}.${region}.${partitionDomain(region)}`, region };
  const url = environment[name] ?? '';
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return { url: url.replace(/\/+$/, ''), region };
  throw new ConfigurationError({
    code: 'ENDPOINT_INVALID',
    message: `${name} is ${JSON.stringify(url.slice(0, 200))}.`,
    advice: 'Set it to an http or https URL, or remove it.',
  });
}
