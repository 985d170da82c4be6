/** From templates to what the local host serves: HTTP APIs and REST APIs with their routes, and the functions behind them. */
import { ConfigurationError } from '../errors.js';
import { type AssemblyStack, record, type Template, type TemplateResource } from './cloud-assembly.js';
import { type CorsConfiguration, readCorsConfiguration } from './cors.js';
import { DEFAULT_REGION, type StackEvaluator, stackEvaluator } from './intrinsics.js';
import { type RestRoute, readRestRoutes } from './rest-api-routes.js';

export interface LocalFunction {
  /** The function's logical id, unique among all stacks by its stack's name. */
  readonly id: string;
  /** What log lines call it: the model's name, that of the model behind it, else the logical id. */
  readonly label: string;
  readonly arn: string;
  /** What it can be invoked by: its logical id, and the name that the template gives it. */
  readonly names: readonly string[];
  /** The version behind each alias and each version of the function. */
  readonly versions: ReadonlyMap<string, string>;
  readonly codeFolder: string;
  /** In the order in which Lambda unpacks them into /opt. */
  readonly layerFolders: readonly string[];
  readonly handler: string;
  readonly runtime: string;
  readonly architecture: 'arm64' | 'x86_64';
  readonly memoryMiB: number;
  readonly timeoutSeconds: number;
  readonly environment: Readonly<Record<string, string>>;
  /** Functions that its environment variables name, by their ARN: it reaches them through Lambda's API here. */
  readonly invokes: readonly string[];
  /** File assets that its environment variables name, as absolute paths by `bucket/key`: what it may read from S3. */
  readonly objects: ReadonlyMap<string, string>;
}

export interface LocalRoute {
  /** As API Gateway knows it: `POST /predict/faces`, `ANY /{proxy+}` or `$default`. */
  readonly routeKey: string;
  readonly authorization: string;
  readonly function: LocalFunction;
  /** How long the API waits for the function. */
  readonly timeoutMs: number;
  readonly payloadFormatVersion: string;
  /** Of a REST API; undefined for a route of an HTTP API. */
  readonly rest?: RestRoute;
  /** Of the route's API. */
  readonly cors: CorsConfiguration | undefined;
}

export interface LocalService {
  readonly routes: readonly LocalRoute[];
  /** Those behind routes, then every other one that can run here. */
  readonly functions: readonly LocalFunction[];
  /** What is in the templates and not served here. */
  readonly warnings: readonly string[];
}

const DEFAULT_MEMORY_MIB = 128;
const DEFAULT_TIMEOUT_SECONDS = 3;
const DEFAULT_API_TIMEOUT_MS = 30_000;
/** What exists on this machine as soon as it is in a template. */
const LAMBDA = /^AWS::Lambda::(Function|Version|Alias)$/;
/** Without its qualifier. */
const FUNCTION_ARN = /^arn:[^:]+:lambda:[^:]+:\d{12}:function:[^:]+/;

/**
 * Finds every route of every HTTP API and REST API, and the function behind it.
 *
 * @throws ConfigurationError `NO_ROUTES`, `LOCAL_FUNCTION`, `LOCAL_LAYER`, `LOCAL_INTEGRATION`, `ROUTE_TWICE`
 */
export function readLocalService(stacks: readonly AssemblyStack[], region: string = DEFAULT_REGION): LocalService {
  const services = stacks.map((stack) => readStack(stack, region));
  const routes = services.flatMap((service) => service.routes);
  if (routes.length === 0) {
    throw new ConfigurationError({
      code: 'NO_ROUTES',
      message: `No API with a route to a Lambda function in ${stacks.map((stack) => stack.name).join(', ') || 'the assembly'}.`,
      advice: 'Add an InferenceEndpoint to the app.',
    });
  }
  const twice = routes.find((route, index) => routes.findIndex((other) => other.routeKey === route.routeKey) !== index);
  if (twice !== undefined) {
    throw new ConfigurationError({
      code: 'ROUTE_TWICE',
      message: `Two APIs have the route '${twice.routeKey}'; here all share one port.`,
      advice: 'Serve an assembly with one of the stacks, or give the models different names.',
    });
  }
  return {
    routes,
    functions: [...new Set([...routes.map((route) => route.function), ...services.flatMap((each) => each.functions)])],
    warnings: services.flatMap((service) => service.warnings),
  };
}

function readStack(
  stack: AssemblyStack,
  region: string,
): { routes: LocalRoute[]; functions: LocalFunction[]; warnings: string[] } {
  const evaluator = stackEvaluator(stack, region);
  const warnings: string[] = [];
  const functions = new Map<string, LocalFunction>();
  const functionByArn = (uri: string, integration: string): LocalFunction => {
    const [, name] = /:function:([^:/]+)/.exec(uri) ?? [];
    const resource = name === undefined ? undefined : stack.template.Resources[name];
    if (name === undefined || resource?.Type !== 'AWS::Lambda::Function') {
      throw new ConfigurationError({
        code: 'LOCAL_INTEGRATION',
        message: `The integration ${integration} of ${stack.name} leads to '${uri}', which is no function of this stack.`,
        advice: 'The local host serves routes whose Lambda function is in the same stack.',
      });
    }
    const known = functions.get(name) ?? readFunction(stack, evaluator, name, resource, warnings);
    functions.set(name, known);
    return known;
  };

  const corsOf = ({ Properties: { ApiId } }: TemplateResource) =>
    readCorsConfiguration(evaluator.evaluate(stack.template.Resources[evaluator.text(ApiId)]?.Properties));

  const routes = Object.entries(stack.template.Resources).flatMap(([, resource]): LocalRoute[] => {
    if (resource.Type !== 'AWS::ApiGatewayV2::Route') return [];
    const integrationId = evaluator.text(resource.Properties.Target).replace(/^integrations\//, '');
    const integration = stack.template.Resources[integrationId];
    if (integration?.Properties.IntegrationType !== 'AWS_PROXY') {
      throw new ConfigurationError({
        code: 'LOCAL_INTEGRATION',
        message: `The route '${evaluator.text(resource.Properties.RouteKey)}' of ${stack.name} has no Lambda proxy integration.`,
        advice: 'The local host serves Lambda proxy integrations only.',
      });
    }
    return [
      {
        routeKey: evaluator.text(resource.Properties.RouteKey),
        authorization: evaluator.text(resource.Properties.AuthorizationType) || 'NONE',
        function: functionByArn(evaluator.text(integration.Properties.IntegrationUri), integrationId),
        timeoutMs: Number(evaluator.evaluate(integration.Properties.TimeoutInMillis) ?? DEFAULT_API_TIMEOUT_MS),
        payloadFormatVersion: evaluator.text(integration.Properties.PayloadFormatVersion) || '1.0',
        cors: corsOf(resource),
      },
    ];
  });
  const other = routes.find((route) => route.payloadFormatVersion !== '2.0');
  if (other !== undefined) {
    throw new ConfigurationError({
      code: 'LOCAL_INTEGRATION',
      message: `The route '${other.routeKey}' of ${stack.name} has payload format ${other.payloadFormatVersion}.`,
      advice: 'The local host speaks payload format 2.0.',
    });
  }
  const rest = readRestRoutes(stack, evaluator, functionByArn);
  for (const [id, resource] of Object.entries(stack.template.Resources)) {
    if (resource.Type !== 'AWS::Lambda::Function' || functions.has(id)) continue;
    try {
      functions.set(id, readFunction(stack, evaluator, id, resource, warnings));
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      // Helpers of the CDK in other languages or as inline code are nothing to warn of.
      if (error.code !== 'LOCAL_FUNCTION') warnings.push(`${id} cannot be invoked here. ${error.message}`);
    }
  }
  return {
    routes: [...routes, ...rest.routes],
    functions: [...functions.values()],
    warnings: [...warnings, ...rest.warnings],
  };
}

function readFunction(
  stack: AssemblyStack,
  evaluator: StackEvaluator,
  id: string,
  resource: TemplateResource,
  warnings: string[],
): LocalFunction {
  const { Properties: properties } = resource;
  const runtime = evaluator.text(properties.Runtime);
  const codeFolder = stack.assetFolders.get(evaluator.text(record(properties.Code).S3Key));
  if (!runtime.startsWith('nodejs') || codeFolder === undefined) {
    throw new ConfigurationError({
      code: 'LOCAL_FUNCTION',
      message: `The function ${id} of ${stack.name} has the runtime '${runtime}' and ${codeFolder === undefined ? 'no folder as its code' : 'a folder as its code'}.`,
      advice:
        'The local host runs Node.js functions whose code is a folder in the assembly; no archives, images or inline code.',
    });
  }
  const layers = evaluator.evaluate(properties.Layers);
  const variables = Object.entries(record(record(properties.Environment).Variables));
  warnings.push(
    ...variables
      .filter(([, value]) => resourcesReferredTo(value, stack.template.Resources).some((type) => !LAMBDA.test(type)))
      .map(([name]) => `${id}: the variable ${name} refers to a resource that does not exist on this machine.`),
  );
  const environment = Object.fromEntries(variables.map(([name, value]) => [name, evaluator.text(value)]));
  const [architecture] = Array.isArray(properties.Architectures) ? properties.Architectures : [];
  const timeout = evaluator.evaluate(properties.Timeout);
  return {
    id: `${stack.name}/${id}`,
    label: labelOf(environment) ?? id,
    arn: evaluator.text({ 'Fn::GetAtt': [id, 'Arn'] }),
    names: [...new Set([id, evaluator.text(properties.FunctionName) || id])],
    versions: versionsOf(stack, evaluator, id),
    codeFolder,
    layerFolders: (Array.isArray(layers) ? layers : []).map((arn) => layerFolder(stack, evaluator, id, String(arn))),
    handler: evaluator.text(properties.Handler),
    runtime,
    architecture: architecture === 'arm64' ? 'arm64' : 'x86_64',
    memoryMiB: Number(evaluator.evaluate(properties.MemorySize) ?? DEFAULT_MEMORY_MIB),
    timeoutSeconds: Number(timeout ?? DEFAULT_TIMEOUT_SECONDS),
    environment,
    invokes: Object.values(environment).flatMap((value) => FUNCTION_ARN.exec(value)?.[0] ?? []),
    objects: objectsNamed(stack, evaluator, Object.values(environment)),
  };
}

function labelOf({ CDK_ONNX_ARTIFACT, CDK_ONNX_MODEL }: Readonly<Record<string, string>>): string | undefined {
  if (CDK_ONNX_ARTIFACT !== undefined) return CDK_ONNX_ARTIFACT.split('/').at(-1);
  return CDK_ONNX_MODEL === undefined ? undefined : `${CDK_ONNX_MODEL}-router`;
}

/** By alias and by version. A version's number is its logical id here, as for what refers to it. */
function versionsOf(stack: AssemblyStack, evaluator: StackEvaluator, functionId: string): Map<string, string> {
  const versions = new Map<string, string>();
  for (const [id, { Type: type, Properties: properties }] of Object.entries(stack.template.Resources)) {
    if (type !== 'AWS::Lambda::Version' && type !== 'AWS::Lambda::Alias') continue;
    if (evaluator.text(properties.FunctionName).split(':').at(-1) !== functionId) continue;
    if (type === 'AWS::Lambda::Version') versions.set(id, id);
    else versions.set(evaluator.text(properties.Name), evaluator.text(properties.FunctionVersion));
  }
  return versions;
}

function objectsNamed(
  { fileAssets }: AssemblyStack,
  evaluator: StackEvaluator,
  texts: readonly string[],
): ReadonlyMap<string, string> {
  const objects = fileAssets.map(({ bucketName, objectKey, path }): [string, string] => [
    // An asset manifest has the placeholders of Fn::Sub.
    `${evaluator.text({ 'Fn::Sub': bucketName })}/${objectKey}`,
    path,
  ]);
  return new Map(objects.filter(([name]) => texts.some((text) => text.includes(name))));
}

function layerFolder(stack: AssemblyStack, evaluator: StackEvaluator, functionId: string, arn: string): string {
  const [, id = ''] = /:layer:([^:]+)/.exec(arn) ?? [];
  const content = record(stack.template.Resources[id]?.Properties.Content);
  const folder = stack.assetFolders.get(evaluator.text(content.S3Key));
  if (folder !== undefined) return folder;
  throw new ConfigurationError({
    code: 'LOCAL_LAYER',
    message: `The function ${functionId} of ${stack.name} has the layer ${arn}, which is no folder in the assembly.`,
    advice: 'The local host has only layers of the same stack that the app packages itself.',
  });
}

/** The types of the resources that a property's value depends on: by `Ref`, `Fn::GetAtt` or a placeholder of `Fn::Sub`. */
function resourcesReferredTo(value: unknown, resources: Template['Resources']): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, argument]) => {
    const [first] = Array.isArray(argument) ? argument : [argument];
    const names: string[] = [];
    if (key === 'Ref') names.push(String(first));
    if (key === 'Fn::GetAtt') names.push(String(first).split('.')[0] ?? '');
    if (key === 'Fn::Sub') names.push(...[...String(first).matchAll(/\$\{([^!}.]+)/g)].map(([, name = '']) => name));
    const types = names.flatMap((name) => (Object.hasOwn(resources, name) ? (resources[name]?.Type ?? []) : []));
    return [...types, ...resourcesReferredTo(argument, resources)];
  });
}
