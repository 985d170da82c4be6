/** A router as people write it: the SDK's client asks Lambda, and another one SageMaker where that fails. */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { InvokeEndpointCommand, SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime';

const lambda = new LambdaClient({ maxAttempts: 1 });
const sagemaker = new SageMakerRuntimeClient({ maxAttempts: 1 });
const { CDK_ONNX_PREDICT_FUNCTION: FunctionName, CDK_ONNX_GPU_ENDPOINT: EndpointName } = process.env;

export async function handler(event) {
  try {
    const { Payload, FunctionError } = await lambda.send(
      new InvokeCommand({ FunctionName, Payload: JSON.stringify(event) }),
    );
    if (FunctionError === undefined) return JSON.parse(Buffer.from(Payload).toString('utf8'));
  } catch {
    // SageMaker's turn.
  }
  const Body = Buffer.from(event.body, event.isBase64Encoded ? 'base64' : 'utf8');
  const answer = await sagemaker.send(
    new InvokeEndpointCommand({ EndpointName, Body, ContentType: 'application/json' }),
  );
  return { statusCode: 200, body: Buffer.from(answer.Body).toString('utf8') };
}
