import {
  AuthorizationType,
  ContentHandling,
  type IResource,
  MockIntegration,
  PassthroughBehavior,
  ResponseType,
  type RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import type { CorsPreflightOptions } from 'aws-cdk-lib/aws-apigatewayv2';

const ANY = '*';
const DEFAULT_METHODS = ['GET', 'POST', 'OPTIONS'];
/** What signed requests, API keys and V2's binary bodies bring along. */
const DEFAULT_HEADERS = [
  'Authorization',
  'Content-Type',
  'Inference-Header-Content-Length',
  'X-Amz-Date',
  'X-Amz-Security-Token',
  'X-Api-Key',
];

/** Of an answer, where requests may become jobs. */
const JOB_HEADERS = ['Location', 'Retry-After'];
/** Of a request: what makes one job of those that are sent twice. */
const JOB_KEY = 'Idempotency-Key';

/** What an HTTP API does by itself: answers to preflight requests, and headers on every other answer. */
export class RestCors {
  constructor(
    api: RestApi,
    private readonly cors: CorsPreflightOptions,
  ) {
    const [origin, ...others] = cors.allowOrigins ?? [];
    // Answers of API Gateway itself know one origin only; behind another, a page sees a network error in place of a 403.
    if (origin === undefined || others.length > 0) return;
    for (const type of [ResponseType.DEFAULT_4XX, ResponseType.DEFAULT_5XX]) {
      const credentials = cors.allowCredentials === true ? { 'Access-Control-Allow-Credentials': "'true'" } : {};
      api.addGatewayResponse(`Cors-${type.responseType}`, {
        type,
        responseHeaders: { 'Access-Control-Allow-Origin': `'${origin}'`, ...credentials },
      });
    }
  }

  /** For the function, which adds the headers of answers that are no preflights. Pages may read where a job is. */
  functionVariable(hasJobs: boolean): string {
    const { allowOrigins = [], allowCredentials = false, exposeHeaders = hasJobs ? JOB_HEADERS : [] } = this.cors;
    return JSON.stringify({ allowOrigins, allowCredentials, exposeHeaders });
  }

  /** `OPTIONS` without authorization, once for each resource. */
  addPreflight(resource: IResource, hasJobs: boolean): void {
    if (resource.node.tryFindChild('OPTIONS') !== undefined) return;
    const headers = Object.entries(this.preflightHeaders(hasJobs));
    const responseTemplate = this.chooseOrigin();
    resource.addMethod(
      'OPTIONS',
      new MockIntegration({
        // The API takes everything for binary, and a mock has to read this template as text.
        contentHandling: ContentHandling.CONVERT_TO_TEXT,
        passthroughBehavior: PassthroughBehavior.NEVER,
        requestTemplates: { 'application/json': '{ "statusCode": 204 }' },
        integrationResponses: [
          {
            statusCode: '204',
            contentHandling: ContentHandling.CONVERT_TO_TEXT,
            responseParameters: Object.fromEntries(
              headers.map(([name, value]) => [`method.response.header.${name}`, `'${value}'`]),
            ),
            ...(responseTemplate === undefined ? {} : { responseTemplates: { 'application/json': responseTemplate } }),
          },
        ],
      }),
      {
        authorizationType: AuthorizationType.NONE,
        apiKeyRequired: false,
        methodResponses: [
          {
            statusCode: '204',
            responseParameters: Object.fromEntries(headers.map(([name]) => [`method.response.header.${name}`, true])),
          },
        ],
      },
    );
  }

  private preflightHeaders(hasJobs: boolean): Readonly<Record<string, string>> {
    const { allowOrigins = [], allowMethods, allowHeaders, allowCredentials, maxAge } = this.cors;
    const [origin = ANY] = allowOrigins;
    return {
      'Access-Control-Allow-Origin': origin,
      'Access-Control-Allow-Methods': (allowMethods ?? DEFAULT_METHODS).join(','),
      'Access-Control-Allow-Headers': (allowHeaders ?? [...DEFAULT_HEADERS, ...(hasJobs ? [JOB_KEY] : [])]).join(','),
      ...(allowCredentials === true ? { 'Access-Control-Allow-Credentials': 'true' } : {}),
      ...(maxAge === undefined ? {} : { 'Access-Control-Max-Age': String(maxAge.toSeconds()) }),
      ...(origin === ANY ? {} : { Vary: 'Origin' }),
    };
  }

  /** In API Gateway's template language: the caller's origin in place of the first one, where it is among the others. */
  private chooseOrigin(): string | undefined {
    const others = (this.cors.allowOrigins ?? []).slice(1);
    if (others.length === 0) return undefined;
    const known = others.map((origin) => `$origin == "${origin}"`).join(' || ');
    return [
      '#set($origin = $input.params().header.get("origin"))',
      '#if(!$origin || $origin == "")#set($origin = $input.params().header.get("Origin"))#end',
      `#if(${known})#set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)#end`,
    ].join('\n');
  }
}
