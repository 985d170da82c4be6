/** What API Gateway itself says, in the words of the type of API. */
import { gatewayAnswer, type HttpAnswer } from './http-answer.js';

export interface GatewayErrors {
  readonly noRoute: HttpAnswer;
  readonly tooLarge: HttpAnswer;
  readonly timeout: HttpAnswer;
  /** The function failed, or its result is none. */
  readonly failed: HttpAnswer;
}

/** https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html */
export const HTTP_API_ERRORS: GatewayErrors = {
  noRoute: gatewayAnswer(404, 'Not Found'),
  tooLarge: gatewayAnswer(413, 'Request Entity Too Large'),
  timeout: gatewayAnswer(503, 'Service Unavailable'),
  failed: gatewayAnswer(500, 'Internal Server Error'),
};

/** https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html */
export const REST_API_ERRORS: GatewayErrors = {
  noRoute: gatewayAnswer(403, 'Missing Authentication Token'),
  tooLarge: gatewayAnswer(413, 'Request Too Long'),
  timeout: gatewayAnswer(504, 'Endpoint request timed out'),
  failed: gatewayAnswer(502, 'Internal server error'),
};

export const API_KEY_MISSING: HttpAnswer = gatewayAnswer(403, 'Forbidden');

export function headerMissing(names: readonly string[]): HttpAnswer {
  return gatewayAnswer(400, `Missing required request parameters: [${names.join(', ')}]`);
}
