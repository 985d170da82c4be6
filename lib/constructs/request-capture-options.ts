import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { type Duration, Size, SizeRoundingBehavior, Token } from 'aws-cdk-lib/core';
import { isSecretHeader, type Redactions } from '../artifact/capture.js';
import type { Signature } from '../artifact/manifest.js';
import type { Problem } from './problems.js';

/** Which requests a function keeps in S3 with their answers, and what of them. */
export interface RequestCaptureOptions {
  /**
   * Which share of inferences, above 0 and up to 1. The metrics `CapturedRequests` and `CaptureFailures` count them; a failure fails no request.
   * @default 0.01
   */
  readonly share?: number;
  /**
   * Where they are put.
   * @default - a bucket of the function's own, encrypted, without public access, whose objects expire
   */
  readonly bucket?: IBucket;
  /**
   * In front of their keys, `<prefix><model>/<year>/<month>/<day>/<hour>/<id>.jsonl`. It ends with a slash.
   * @default 'captures/'
   */
  readonly prefix?: string;
  /**
   * When the function's own bucket deletes them: whole days.
   * @default Duration.days(30)
   */
  readonly expiry?: Duration;
  /**
   * The KMS key of the bucket.
   * @default - that of `bucket`; a bucket of the function's own has S3's
   */
  readonly encryption?: IKey;
  /**
   * What a body may take, up to 4 MiB as it is handed over by API Gateway; a larger one is left out of its record.
   * @default Size.mebibytes(1)
   */
  readonly maxBodySize?: Size;
  /**
   * Headers of requests and answers that are kept, beside Accept, Content-Type and Inference-Header-Content-Length. Those that let others act
   * for the caller are refused: Authorization, cookies, keys of APIs, tokens.
   * @default - none
   */
  readonly headers?: readonly string[];
  /**
   * Inputs that are not kept, by name: `drop` leaves them out, `replace` puts zeros and empty texts in their place. Of a body that is an input as a
   * whole, a picture for one, and of an error, which may quote a value, nothing is kept. Such a request cannot be replayed.
   * @default - all are kept as they come
   */
  readonly redactInputs?: Redactions;
  /**
   * The same of outputs.
   * @default - all are kept as they are
   */
  readonly redactOutputs?: Redactions;
  /**
   * Whether the answer of a request that is kept waits until it is. Otherwise it is written while the environment's next request is worked on, and is
   * lost where there is none; an answer that is streamed has been sent either way.
   * @default false
   */
  readonly waitForWrite?: boolean;
}

export const CAPTURE_DEFAULTS = { share: 0.01, prefix: 'captures/', maxBodySize: Size.mebibytes(1) } as const;
const MAX_BODY_MEBIBYTES = 4;
const PREFIX = /^[A-Za-z0-9!_.'()*-][A-Za-z0-9!_.'()*/-]{0,200}\/$/;
const HEADER = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;

export function captureProblems(options: RequestCaptureOptions | undefined): Problem[] {
  if (options === undefined) return [];
  return [
    ...shareProblems(options),
    ...placeProblems(options),
    ...sizeProblems(options),
    ...headerProblems(options),
    ...redactionProblems(options),
  ];
}

/** What is redacted has to be there, or something else is kept that should not be. */
export function redactionProblemsOf(options: RequestCaptureOptions, signature: Signature): Problem[] {
  const sides = [
    ['redactInputs', options.redactInputs, signature.inputs],
    ['redactOutputs', options.redactOutputs, signature.outputs],
  ] as const;
  return sides.flatMap(([option, redactions = {}, tensors]) => {
    const names = tensors.map(({ name }) => name);
    return Object.keys(redactions)
      .filter((name) => !names.includes(name))
      .map((name) => ({
        code: 'CAPTURE_REDACTION_UNKNOWN',
        message: `capture.${option} names '${name}', which the model does not have.`,
        advice: `It has ${names.join(', ')}.`,
      }));
  });
}

function shareProblems({ share }: RequestCaptureOptions): Problem[] {
  if (share === undefined || Token.isUnresolved(share) || (share > 0 && share <= 1)) return [];
  return [
    {
      code: 'CAPTURE_INVALID',
      message: `capture.share is ${share}.`,
      advice: 'Give a number above 0 and up to 1, or leave capture out.',
    },
  ];
}

function placeProblems({ prefix, bucket, expiry, encryption }: RequestCaptureOptions): Problem[] {
  const problems: Problem[] = [];
  if (prefix !== undefined && !Token.isUnresolved(prefix) && !PREFIX.test(prefix)) {
    problems.push({
      code: 'CAPTURE_INVALID',
      message: `capture.prefix is '${prefix}'.`,
      advice: "Give letters, digits and !_.'()*-/ that do not begin with a slash and end with one.",
    });
  }
  if (bucket !== undefined && expiry !== undefined) {
    problems.push({
      code: 'CAPTURE_EXPIRY_WITHOUT_EFFECT',
      message: 'capture.expiry is given together with capture.bucket.',
      advice: 'Give your bucket a lifecycle rule for the prefix, and leave expiry out.',
    });
  }
  if (bucket?.encryptionKey !== undefined && encryption !== undefined) {
    problems.push({
      code: 'CAPTURE_KEY_TWICE',
      message: 'capture.encryption is given, and capture.bucket has a key.',
      advice: "Leave encryption out: the bucket's key is used.",
    });
  }
  if (expiry !== undefined && !expiry.isUnresolved()) {
    const days = expiry.toMilliseconds() / 86_400_000;
    if (!Number.isInteger(days) || days < 1) {
      problems.push({
        code: 'CAPTURE_INVALID',
        message: `capture.expiry is ${days} days.`,
        advice: 'Give whole days: S3 counts no parts of them.',
      });
    }
  }
  return problems;
}

function sizeProblems({ maxBodySize }: RequestCaptureOptions): Problem[] {
  if (maxBodySize === undefined || maxBodySize.isUnresolved()) return [];
  const mebibytes = maxBodySize.toMebibytes({ rounding: SizeRoundingBehavior.NONE });
  if (mebibytes > 0 && mebibytes <= MAX_BODY_MEBIBYTES) return [];
  return [
    {
      code: 'CAPTURE_INVALID',
      message: `capture.maxBodySize is ${mebibytes} MiB.`,
      advice: `Give more than nothing and up to ${MAX_BODY_MEBIBYTES} MiB: what waits to be written takes the function's memory.`,
    },
  ];
}

function headerProblems({ headers = [] }: RequestCaptureOptions): Problem[] {
  return headers.flatMap((header) => {
    const name = header.toLowerCase();
    if (!HEADER.test(name)) {
      return [
        {
          code: 'CAPTURE_INVALID',
          message: `capture.headers has '${header}'.`,
          advice: 'Give names of HTTP headers.',
        },
      ];
    }
    if (!isSecretHeader(name)) return [];
    return [
      {
        code: 'CAPTURE_HEADER_SECRET',
        message: `capture.headers has '${header}'.`,
        advice: 'Leave it out: whoever reads the captures could act for the caller.',
      },
    ];
  });
}

function redactionProblems({ redactInputs = {}, redactOutputs = {} }: RequestCaptureOptions): Problem[] {
  return Object.entries({ redactInputs, redactOutputs }).flatMap(([option, redactions]) =>
    Object.entries(redactions)
      .filter(([, redaction]) => redaction !== 'drop' && redaction !== 'replace')
      .map(([name, redaction]) => ({
        code: 'CAPTURE_INVALID',
        message: `capture.${option} has '${String(redaction)}' for ${name}.`,
        advice: "Give 'drop' or 'replace'.",
      })),
  );
}
