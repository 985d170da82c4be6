/** What a target answers with. */
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { HttpResponse } from '../../http/http.js';

/** A function's result goes on as it is; its body is never decoded. */
export type TargetAnswer =
  | { readonly kind: 'result'; readonly result: APIGatewayProxyStructuredResultV2 & { readonly statusCode: number } }
  | { readonly kind: 'response'; readonly response: HttpResponse };
