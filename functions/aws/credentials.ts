import { ConfigurationError } from '../../lib/errors.js';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

/**
 * As Lambda's runtime sets them.
 *
 * @param consequence of there being none, for the message
 * @throws ConfigurationError `CREDENTIALS_MISSING`
 */
export function readCredentials(environment: NodeJS.ProcessEnv, consequence: string): Credentials {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = environment;
  if (AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY) {
    return {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      sessionToken: AWS_SESSION_TOKEN || undefined,
    };
  }
  throw new ConfigurationError({
    code: 'CREDENTIALS_MISSING',
    message: `The environment has no AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, so ${consequence}.`,
    advice: "Lambda sets them from the function's role; elsewhere set them yourself.",
  });
}
