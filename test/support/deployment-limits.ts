/** Limits that fail a deployment and that neither cfn-lint, cdk-nag nor the CDK look for, or not in every form. */
import type { Template } from 'aws-cdk-lib/assertions';

interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
}
interface TemplateDocument {
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs?: Readonly<Record<string, { readonly Description?: string }>>;
  readonly Parameters?: object;
}

/** Says of a value what is wrong with it; a value that only the deployment knows is an object, and passes. */
type Limit = (value: unknown) => string | undefined;

const between =
  (min: number, max: number): Limit =>
  (value) =>
    typeof value === 'number' && !(Number.isInteger(value) && value >= min && value <= max)
      ? `is not from ${min} to ${max}`
      : undefined;
const oneOf =
  (...allowed: readonly string[]): Limit =>
  (value) =>
    typeof value === 'string' && !allowed.includes(value) ? `is not ${allowed.join(' or ')}` : undefined;
const text =
  (max: number, pattern = /^/): Limit =>
  (value) =>
    typeof value === 'string' && (value.length > max || !pattern.test(value))
      ? `does not match ${pattern} of ${max} characters`
      : undefined;
const atMost =
  (max: number): Limit =>
  (value) =>
    Array.isArray(value) && value.length > max ? `has more than ${max}` : undefined;
const json =
  (max: number): Limit =>
  (value) =>
    value !== undefined && JSON.stringify(known(value)).length > max ? `has more than ${max} bytes` : undefined;

/** The shortest that a value can become. */
function known(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  if (entries.some(([name]) => name === 'Ref' || name.startsWith('Fn::'))) return '';
  return Array.isArray(value) ? value.map(known) : Object.fromEntries(entries.map(([name, of]) => [name, known(of)]));
}

/** By resource type and property. Sources: Lambda's, API Gateway's and IAM's quotas and the patterns of their APIs. */
export const LIMITS: Readonly<Record<string, Readonly<Record<string, Limit>>>> = {
  'AWS::Lambda::Function': {
    MemorySize: between(128, 10_240),
    Timeout: between(1, 900),
    ReservedConcurrentExecutions: between(0, Number.MAX_SAFE_INTEGER),
    'EphemeralStorage.Size': between(512, 10_240),
    'Environment.Variables': json(4096),
    'VpcConfig.SubnetIds': atMost(16),
    'VpcConfig.SecurityGroupIds': atMost(5),
    Layers: atMost(5),
    Description: text(256),
    Handler: text(128),
    FunctionName: text(64, /^[A-Za-z0-9_-]+$/),
  },
  'AWS::Lambda::LayerVersion': { LayerName: text(140, /^[A-Za-z0-9_-]+$/), Description: text(256) },
  'AWS::Lambda::Alias': { Name: text(128, /^(?![0-9]+$)[A-Za-z0-9_-]+$/), Description: text(256) },
  'AWS::ApiGatewayV2::Api': { Name: text(128), Description: text(1024) },
  'AWS::ApiGatewayV2::Integration': { TimeoutInMillis: between(50, 30_000), PayloadFormatVersion: oneOf('2.0') },
  'AWS::ApiGatewayV2::Authorizer': {
    AuthorizerResultTtlInSeconds: between(0, 3600),
    AuthorizerPayloadFormatVersion: oneOf('2.0'),
    Name: text(128),
  },
  'AWS::IAM::Role': { Description: text(1000), Policies: json(10_240) },
  'AWS::IAM::Policy': { PolicyDocument: json(10_240) },
};
const RESOURCES = 500;
const OUTPUTS = 200;
const PARAMETERS = 200;
const OUTPUT_DESCRIPTION = 1024;
const TEMPLATE_BYTES = 1_000_000;

/** What in a template is beyond a limit: `<logical id>.<property> …`. */
export function beyondLimits(template: Template): readonly string[] {
  const document = template.toJSON() as TemplateDocument;
  const found: string[] = [];
  for (const [id, { Type, Properties = {} }] of Object.entries(document.Resources)) {
    for (const [property, limit] of Object.entries(LIMITS[Type] ?? {})) {
      const problem = limit(property.split('.').reduce<unknown>(propertyOf, Properties));
      if (problem !== undefined) found.push(`${id}.${property} ${problem}`);
    }
  }
  for (const [id, { Description = '' }] of Object.entries(document.Outputs ?? {})) {
    if (Buffer.byteLength(Description) > OUTPUT_DESCRIPTION) found.push(`${id}.Description has too many bytes`);
  }
  const counts = [
    ['Resources', document.Resources, RESOURCES],
    ['Outputs', document.Outputs, OUTPUTS],
    ['Parameters', document.Parameters, PARAMETERS],
  ] as const;
  for (const [name, of, max] of counts) {
    if (Object.keys(of ?? {}).length > max) found.push(`${name} are more than ${max}`);
  }
  if (JSON.stringify(document).length > TEMPLATE_BYTES)
    found.push(`the template has more than ${TEMPLATE_BYTES} bytes`);
  return found;
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
