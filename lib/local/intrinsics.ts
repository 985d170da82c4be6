/** CloudFormation's intrinsic functions, evaluated as if the stack were deployed to an account on this machine. */
import { ConfigurationError } from '../errors.js';
import { type AssemblyStack, record } from './cloud-assembly.js';

export const LOCAL_ACCOUNT = '000000000000';
/** Where the stack pretends to be, unless AWS_REGION says otherwise. */
export const DEFAULT_REGION = 'us-east-1';

export interface StackEvaluator {
  /** A property's value with every intrinsic function replaced. */
  evaluate(value: unknown): unknown;
  /** As `evaluate`, for what must be a text. */
  text(value: unknown): string;
}

/**
 * Resources get made-up physical ids and ARNs that are unique in their stack, so that references can be followed by comparing texts.
 *
 * `evaluate` throws ConfigurationError `LOCAL_INTRINSIC`, `LOCAL_REFERENCE` for what has no value on this machine.
 */
export function stackEvaluator(stack: AssemblyStack, region: string): StackEvaluator {
  const pseudo: Readonly<Record<string, string>> = {
    'AWS::AccountId': LOCAL_ACCOUNT,
    'AWS::Partition': 'aws',
    'AWS::Region': region,
    'AWS::StackId': `arn:aws:cloudformation:${region}:${LOCAL_ACCOUNT}:stack/${stack.name}/local`,
    'AWS::StackName': stack.name,
    'AWS::URLSuffix': 'amazonaws.com',
  };

  const ref = (name: string): unknown => {
    if (name === 'AWS::NoValue') return undefined;
    if (pseudo[name] !== undefined) return pseudo[name];
    const resource = stack.template.Resources[name];
    if (resource !== undefined) return physicalId(name, resource.Type, resource.Properties);
    const parameter = record(stack.template.Parameters[name]);
    if (parameter.Default !== undefined) return parameter.Default;
    throw unknownReference(stack.name, name);
  };

  const physicalId = (id: string, type: string, properties: Readonly<Record<string, unknown>>): string => {
    if (type === 'AWS::Lambda::Alias') return `${functionArnOf(properties.FunctionName)}:${text(properties.Name)}`;
    if (type === 'AWS::Lambda::Version') return `${functionArnOf(properties.FunctionName)}:${id}`;
    if (type === 'AWS::Lambda::LayerVersion') return `arn:aws:lambda:${region}:${LOCAL_ACCOUNT}:layer:${id}:1`;
    return id;
  };

  /** `FunctionName` of an alias or version: a name or an ARN, without its qualifier. */
  const functionArnOf = (value: unknown): string => {
    const named = text(value);
    const name = named.startsWith('arn:') ? (named.split(':')[6] ?? named) : named;
    return functionArn(name);
  };

  const functionArn = (name: string): string => `arn:aws:lambda:${region}:${LOCAL_ACCOUNT}:function:${name}`;

  const getAtt = (target: unknown): string => {
    const [id = '', ...rest] = typeof target === 'string' ? target.split('.') : (target as unknown[]).map(String);
    const attribute = rest.join('.');
    const resource = stack.template.Resources[id];
    if (resource === undefined) throw unknownReference(stack.name, id);
    if (resource.Type === 'AWS::Lambda::Function' && attribute === 'Arn') return functionArn(id);
    if (resource.Type === 'AWS::Lambda::Version' && attribute === 'Version') return id;
    if (attribute === 'Arn') return `arn:aws:local:${region}:${LOCAL_ACCOUNT}:${id}`;
    return `${id}.${attribute}`;
  };

  const sub = (argument: unknown): string => {
    const [template, variables] = Array.isArray(argument)
      ? [String(argument[0]), record(argument[1])]
      : [String(argument), {}];
    return template.replace(/\$\{(!?)([^}]+)\}/g, (_, literal: string, name: string) => {
      if (literal !== '') return `\${${name}}`;
      if (Object.hasOwn(variables, name)) return text(variables[name]);
      return name.includes('.') ? getAtt(name) : String(ref(name));
    });
  };

  const join = (argument: unknown): string => {
    const [separator, list] = argument as [string, unknown];
    const values = evaluate(list);
    return (Array.isArray(values) ? values : [values]).map(String).join(separator);
  };

  const split = (argument: unknown): string[] => {
    const [separator, value] = argument as [string, unknown];
    return text(value).split(separator);
  };

  const select = (argument: unknown): unknown => {
    const [index, list] = argument as [unknown, unknown];
    const values = evaluate(list);
    return Array.isArray(values) ? values[Number(evaluate(index))] : undefined;
  };

  const evaluate = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(evaluate).filter((item) => item !== undefined);
    if (typeof value !== 'object' || value === null) return value;
    const keys = Object.keys(value);
    const [key = ''] = keys;
    if (keys.length === 1 && (key === 'Ref' || key.startsWith('Fn::'))) {
      const argument = record(value)[key];
      if (key === 'Ref') return ref(String(argument));
      if (key === 'Fn::GetAtt') return getAtt(argument);
      if (key === 'Fn::Join') return join(argument);
      if (key === 'Fn::Sub') return sub(argument);
      if (key === 'Fn::Split') return split(argument);
      if (key === 'Fn::Select') return select(argument);
      throw new ConfigurationError({
        code: 'LOCAL_INTRINSIC',
        message: `${stack.name} uses ${key}: ${JSON.stringify(argument)}.`,
        advice:
          'The local host evaluates Ref, Fn::GetAtt, Fn::Join, Fn::Sub, Fn::Split and Fn::Select; keep others away from API and functions.',
      });
    }
    return Object.fromEntries(
      Object.entries(value)
        .map(([name, item]) => [name, evaluate(item)] as const)
        .filter(([, item]) => item !== undefined),
    );
  };

  const text = (value: unknown): string => {
    const result = evaluate(value);
    return typeof result === 'string' ? result : result === undefined ? '' : String(result);
  };

  return { evaluate, text };
}

function unknownReference(stackName: string, name: string): ConfigurationError {
  return new ConfigurationError({
    code: 'LOCAL_REFERENCE',
    message: `${stackName} refers to ${name}, which has no value here.`,
    advice: 'The local host knows resources of the same stack, pseudo parameters and parameters with a default.',
  });
}
