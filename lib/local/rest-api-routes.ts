/** The methods of REST APIs in a template, as routes. */
import { ConfigurationError } from '../errors.js';
import { type AssemblyStack, record, type TemplateResource } from './cloud-assembly.js';
import type { StackEvaluator } from './intrinsics.js';
import type { LocalFunction, LocalRoute } from './local-stack.js';

/** What a REST API does otherwise than an HTTP API. */
export interface RestRoute {
  /** The resource's path: `/v2/models/faces/versions/{version}`. */
  readonly resource: string;
  /** The path's first part on API Gateway's own domain name. */
  readonly stage: string;
  /** Types whose bodies are base64 in events and in results; `*` stands for any part. */
  readonly binaryMediaTypes: readonly string[];
  readonly apiKeyRequired: boolean;
  /** Headers without which a request is refused. */
  readonly requiredHeaders: readonly string[];
  readonly streaming: boolean;
}

const DEFAULT_TIMEOUT_MS = 29_000;

/** @throws ConfigurationError `LOCAL_INTEGRATION` */
export function readRestRoutes(
  stack: AssemblyStack,
  evaluator: StackEvaluator,
  functionByArn: (uri: string, integration: string) => LocalFunction,
): { readonly routes: readonly LocalRoute[]; readonly warnings: readonly string[] } {
  const resources = Object.entries(stack.template.Resources);
  const ofType = (type: string) => resources.filter(([, { Type }]) => Type === type);
  const stages = new Map(
    ofType('AWS::ApiGateway::Stage').map(([, { Properties }]) => [
      evaluator.text(Properties.RestApiId),
      evaluator.text(Properties.StageName),
    ]),
  );
  const methods = ofType('AWS::ApiGateway::Method');
  const routes = methods.flatMap(([id, { Properties }]): LocalRoute[] => {
    const integration = record(Properties.Integration);
    const method = evaluator.text(Properties.HttpMethod);
    if (method === 'OPTIONS' && integration.Type === 'MOCK') return [];
    if (integration.Type !== 'AWS_PROXY') {
      throw new ConfigurationError({
        code: 'LOCAL_INTEGRATION',
        message: `The method ${id} of ${stack.name} has no Lambda proxy integration.`,
        advice: 'The local host serves Lambda proxy integrations only, and mocks of OPTIONS for CORS.',
      });
    }
    const apiId = evaluator.text(Properties.RestApiId);
    const resource = pathOf(stack, evaluator, evaluator.text(Properties.ResourceId));
    const { BinaryMediaTypes } = stack.template.Resources[apiId]?.Properties ?? {};
    const binaryMediaTypes = evaluator.evaluate(BinaryMediaTypes);
    return [
      {
        routeKey: `${method} ${resource}`,
        authorization: evaluator.text(Properties.AuthorizationType) || 'NONE',
        function: functionByArn(evaluator.text(integration.Uri), id),
        timeoutMs: Number(evaluator.evaluate(integration.TimeoutInMillis) ?? DEFAULT_TIMEOUT_MS),
        payloadFormatVersion: '1.0',
        cors: undefined,
        rest: {
          resource,
          stage: stages.get(apiId) ?? '',
          binaryMediaTypes: Array.isArray(binaryMediaTypes) ? binaryMediaTypes.map(String) : [],
          apiKeyRequired: evaluator.evaluate(Properties.ApiKeyRequired) === true,
          requiredHeaders: requiredHeaders(Properties, stack),
          streaming: evaluator.text(integration.ResponseTransferMode) === 'STREAM',
        },
      },
    ];
  });
  return { routes, warnings: restWarnings(methods, new Set(resources.map(([, { Type }]) => Type))) };
}

/** From the segment up to the API's root, which is no resource of the template. */
function pathOf(stack: AssemblyStack, evaluator: StackEvaluator, resourceId: string): string {
  const segments: string[] = [];
  let resource = stack.template.Resources[resourceId];
  while (resource?.Type === 'AWS::ApiGateway::Resource') {
    segments.unshift(evaluator.text(resource.Properties.PathPart));
    resource = stack.template.Resources[evaluator.text(resource.Properties.ParentId)];
  }
  return `/${segments.join('/')}`;
}

/** Those of `method.request.header.<name>: true`, where a validator checks parameters. */
function requiredHeaders(properties: TemplateResource['Properties'], stack: AssemblyStack): string[] {
  const { Ref: validatorId } = record(properties.RequestValidatorId);
  const validator = stack.template.Resources[String(validatorId)];
  if (validator?.Properties.ValidateRequestParameters !== true) return [];
  return Object.entries(record(properties.RequestParameters)).flatMap(([name, required]) => {
    const [, header] = /^method\.request\.header\.(.+)$/.exec(name) ?? [];
    return required === true && header !== undefined ? [header.toLowerCase()] : [];
  });
}

function restWarnings(methods: readonly [string, TemplateResource][], types: ReadonlySet<string>): string[] {
  const some = (test: (properties: TemplateResource['Properties']) => boolean) =>
    methods.some(([, { Properties }]) => test(Properties));
  return [
    ...(some(({ HttpMethod }) => HttpMethod === 'OPTIONS')
      ? ['The API answers CORS preflight requests, which is not done here.']
      : []),
    ...(some(({ ApiKeyRequired }) => ApiKeyRequired === true)
      ? ['Requests need a header x-api-key here too, but any value will do, and no usage plan counts them.']
      : []),
    ...(some(({ RequestModels }) => RequestModels !== undefined)
      ? ['The API checks request bodies against JSON schemas, which is not done here; required headers are.']
      : []),
    ...(types.has('AWS::WAFv2::WebACLAssociation') ? ['The API has a web ACL, which is not applied here.'] : []),
  ];
}
