/** What a target answers with. */
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { HttpResponse } from '../../http/http.js';

export interface FunctionResult extends APIGatewayProxyStructuredResultV2 {
  readonly statusCode: number;
  readonly body: string;
}

/** A function's result goes on as it is; its body is never decoded. */
export type TargetAnswer =
  | { readonly kind: 'result'; readonly result: FunctionResult }
  | { readonly kind: 'response'; readonly response: HttpResponse };
