/**
 * What AWS asks for, in US dollars, on demand, without taxes, discounts for volume, savings plans and free tiers. Regions differ:
 * where another one counts, give its prices (`cdk-onnx cost --prices`, the context `cdk-onnx:prices`).
 */

/** A price for each of Lambda's processors. */
export type PerArchitecture = Readonly<Record<'arm64' | 'x86_64', number>>;

/** Prices in US dollars, and where and when they held. */
export interface Prices {
  /** When they were looked up: a year, a month, perhaps a day. */
  readonly date: string;
  /** Where they hold. */
  readonly region: string;
  /** Of Lambda. */
  readonly lambda: {
    /** An invocation. */
    readonly perRequest: number;
    /** Of memory that a function has while it runs, its init phase included. 1 GB is 1,024 MB. */
    readonly perGigabyteSecond: PerArchitecture;
    /** Of environments that are kept ready: all the time, and in addition while they run. */
    readonly provisioned: {
      /** As long as they are there. */
      readonly perGigabyteSecond: PerArchitecture;
      /** While they run. */
      readonly runningPerGigabyteSecond: PerArchitecture;
    };
  };
  /** A request to API Gateway; of an HTTP API one of up to 512 kB. */
  readonly api: { readonly perRequest: Readonly<Record<'http' | 'rest', number>> };
  /** Of requests to S3. */
  readonly s3: {
    /** PUT, COPY, POST, LIST. */
    readonly perWrite: number;
    /** GET, HEAD. */
    readonly perRead: number;
  };
  /** Instances that host models, by name. */
  readonly sageMaker: { readonly perInstanceHour: Readonly<Record<string, number>> };
}

/** The kinds of API Gateway. */
export type ApiType = 'http' | 'rest';

/**
 * https://aws.amazon.com/lambda/pricing/, https://aws.amazon.com/api-gateway/pricing/, https://aws.amazon.com/s3/pricing/ and
 * https://aws.amazon.com/sagemaker/ai/pricing/ (hosting), for US East (N. Virginia).
 */
export const PRICES: Prices = {
  date: '2026-11',
  region: 'us-east-1',
  lambda: {
    perRequest: 0.2e-6,
    perGigabyteSecond: { x86_64: 0.0000166667, arm64: 0.0000133334 },
    provisioned: {
      perGigabyteSecond: { x86_64: 0.0000041667, arm64: 0.0000033334 },
      runningPerGigabyteSecond: { x86_64: 0.0000097222, arm64: 0.0000077778 },
    },
  },
  api: { perRequest: { http: 1e-6, rest: 3.5e-6 } },
  s3: { perWrite: 5e-6, perRead: 0.4e-6 },
  sageMaker: {
    perInstanceHour: {
      'ml.g4dn.xlarge': 0.7364,
      'ml.g5.xlarge': 1.408,
      'ml.g5.2xlarge': 1.515,
      'ml.g6.xlarge': 1.1267,
      'ml.g6.2xlarge': 1.222,
    },
  },
};

/** As AWS's own calculators count. */
export const HOURS_PER_MONTH = 730;
/** The same in seconds. */
export const SECONDS_PER_MONTH = HOURS_PER_MONTH * 3600;
