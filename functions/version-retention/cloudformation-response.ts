import type { CloudFormationCustomResourceEvent } from 'aws-lambda';

const ATTEMPTS = 4;
const PAUSE_MS = 1000;
const TIMEOUT_MS = 5000;

/**
 * Tells CloudFormation that all is well: what failed here is no reason to roll a deployment back.
 *
 * @throws Error when CloudFormation cannot be reached; Lambda then invokes the function again
 */
export async function reportSuccess(event: CloudFormationCustomResourceEvent): Promise<void> {
  const { StackId, RequestId, LogicalResourceId } = event;
  const body = JSON.stringify({
    Status: 'SUCCESS',
    // One and the same for good: another one would make CloudFormation delete what it takes for a replaced resource.
    PhysicalResourceId: event.RequestType === 'Create' ? LogicalResourceId : event.PhysicalResourceId,
    StackId,
    RequestId,
    LogicalResourceId,
  });
  for (let attempt = 1; ; attempt += 1) {
    try {
      // Bytes, because a text would be sent with a content type, which the URL's signature does not know.
      const response = await fetch(event.ResponseURL, {
        method: 'PUT',
        body: new TextEncoder().encode(body),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (response.ok) return;
      throw new Error(`CloudFormation's answer is ${response.status}`);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * attempt));
    }
  }
}
